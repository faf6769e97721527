package store

import "log/slog"

// LevelTrace is the level at which a store logs what the database below it says of itself: under that of the lines for
// debugging about jobs. Dapr's levels end with debug.
const LevelTrace = slog.LevelDebug - 4
