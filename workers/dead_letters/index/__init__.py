"""An index of dead letters in this process, for whoever asks often: built once, then kept up to date."""
