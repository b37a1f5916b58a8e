"""Many sounds to many motion files: a list in, files and a report out, and a second run does only what is left."""
