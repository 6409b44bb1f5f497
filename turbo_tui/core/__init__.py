"""What a session is: values, events, folds and rules. Pure: no IO, no Textual, no HTTP."""
