"""What `parley provider new` is made of: names, questions, templates, files. Knows no provider that exists."""
