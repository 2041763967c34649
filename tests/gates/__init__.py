"""What others' tools say of our letters and pages: accessibility, markup, mail clients, spam, and their looks."""
