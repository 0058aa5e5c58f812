"""The other side of the line: a carrier made from its documentation."""
