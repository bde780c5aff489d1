"""The study of policies: what each of them costs and brings, over halls and seeds, on the what-if engine."""
