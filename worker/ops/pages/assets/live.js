// Placeholder until the board is there.
