package simulate_test

import (
	"context"
	"net/http"

	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/memnet"
)

// serveGRPC is the app over gRPC, until its listener is closed. Each time that it starts it is another version of the
// app: of an older one, which has the first name of the method alone, or of one that has its present name.
func (r *replica) serveGRPC(l *memnet.Listener) {
	server := grpc.NewServer()
	defer server.Stop()
	r.mu.Lock()
	r.started++
	older := random(r.world.program.seed, r.program.name, "is older", r.started).IntN(2) == 0
	r.mu.Unlock()
	if older {
		runtimev1.RegisterAppCallbackAlphaServer(server, olderApp{replica: r})
	} else {
		runtimev1.RegisterAppCallbackServer(server, newerApp{replica: r})
	}
	_ = server.Serve(l) // until l is closed
}

type newerApp struct {
	runtimev1.UnimplementedAppCallbackServer
	replica *replica
}

// OnJobEvent implements [runtimev1.AppCallbackServer].
func (a newerApp) OnJobEvent(ctx context.Context, req *runtimev1.JobEventRequest) (*runtimev1.JobEventResponse, error) {
	return a.replica.takeEvent(ctx, req)
}

type olderApp struct {
	runtimev1.UnimplementedAppCallbackAlphaServer
	replica *replica
}

// OnJobEventAlpha1 implements [runtimev1.AppCallbackAlphaServer].
func (a olderApp) OnJobEventAlpha1(ctx context.Context, req *runtimev1.JobEventRequest) (*runtimev1.JobEventResponse, error) {
	return a.replica.takeEvent(ctx, req)
}

func (r *replica) takeEvent(ctx context.Context, req *runtimev1.JobEventRequest) (*runtimev1.JobEventResponse, error) {
	switch code := r.take(ctx, req.GetName(), string(req.GetData().GetValue())); code {
	case http.StatusOK:
		return &runtimev1.JobEventResponse{}, nil
	case http.StatusNotFound:
		return nil, status.Error(codes.NotFound, "no such job")
	default:
		return nil, status.Error(codes.Internal, http.StatusText(code))
	}
}
