package appclient

import (
	"context"

	"carillon/internal/job"
)

// A caller calls an app over one protocol. It is safe for concurrent use.
type caller interface { // httpCaller; grpcCaller; absentApp
	// call calls the app once. It waits without limit, until ctx ends.
	call(ctx context.Context, t job.Trigger) callResult
	// close closes the connections to the app.
	close()
}

// A callResult is how one call ended.
type callResult struct {
	outcome     job.Outcome // Lost if this process could not make the call
	err         error       // why the app did not take the trigger; nil if it did
	counted     bool        // Dapr's metrics of jobs count the call
	unknownPath string      // what was called, if the app does not know the job
}
