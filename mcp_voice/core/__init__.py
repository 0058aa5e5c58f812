"""The centre: one call and its parts, with no await, no clock and no socket."""
