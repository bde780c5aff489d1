"""The page: a browser's view of the twin, its REST interface, and the few things a person may do from it.

Python here, the page itself in ``static`` as plain ES modules. Everything is served from this machine; nothing is fetched from
elsewhere. See ``docs/page.md``.
"""
