"""The hot path: the only place where audio meets a socket."""
