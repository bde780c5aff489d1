// Logs in and goes on to the floor.
const form = document.getElementById("login");
const problem = document.getElementById("problem");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  try {
    const answer = await fetch("/api/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ user: form.user.value, password: form.password.value }),
    });
    if (answer.ok) {
      location.replace("/floor");
      return;
    }
    const { detail } = await answer.json();
    problem.textContent = typeof detail === "string" ? `Not logged in: ${detail}.` : "Not logged in: give a user and a password.";
  } catch {
    problem.textContent = "The twin does not answer. Is it still running?";
  }
  form.password.value = "";
  form.password.focus();
});
