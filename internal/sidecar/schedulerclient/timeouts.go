package schedulerclient

import "time"

// CallTimeout bounds a call, including the wait for a connection.
const CallTimeout = 30 * time.Second

// connectTimeout is how long a call waits for a connection. A scheduler that restarts, or one that
// takes over, is back within it. After that the caller should get an error.
const connectTimeout = 5 * time.Second
