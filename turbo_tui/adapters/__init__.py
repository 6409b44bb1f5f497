"""What the ports are made of here: files, databases, model servers, secrets."""
