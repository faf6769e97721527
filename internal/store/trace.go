package store

import "log/slog"

// LevelTrace is the level at which a store logs internal events of its database: below debug, which
// is about jobs. Dapr's levels end with debug.
const LevelTrace = slog.LevelDebug - 4
