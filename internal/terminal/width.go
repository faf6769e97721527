package terminal

// DefaultWidth is the width of output that goes to no terminal, or to one that does not tell its width.
const DefaultWidth = 100
