package management

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "carillon/internal/managementv1"
)

// isGRPC reports whether r is a gRPC call.
func isGRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// setQueryParser sets the parser of query parameters, of which grpc-gateway has one for the process.
var setQueryParser = sync.OnceFunc(func() { runtime.SetQueryParameterParser(strictQuery{})(nil) }) //nolint:gochecknoglobals // as what it sets

// newGateway returns the handler of JSON requests. It calls the service through conn.
func newGateway(ctx context.Context, conn grpc.ClientConnInterface) (http.Handler, error) {
	setQueryParser()
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &strictJSON{runtime.JSONPb{
			MarshalOptions:   protojson.MarshalOptions{EmitDefaultValues: true},
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
		}}),
		runtime.WithUnescapingMode(runtime.UnescapingModeAllCharacters),
		runtime.WithRoutingErrorHandler(routingError),
		runtime.WithErrorHandler(writeError),
		runtime.WithIncomingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithDisablePathLengthFallback(),
	)
	if err := pb.RegisterManagementHandlerClient(ctx, mux, pb.NewManagementClient(conn)); err != nil {
		return nil, fmt.Errorf("register the management API: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.URL.Path == "/openapi.json" && r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(pb.OpenAPI) // the client may be gone
			return
		}
		path := r.URL.EscapedPath()
		if strings.Contains(strings.ToUpper(path), "%2F") { // grpc-gateway would split there
			_, m := runtime.MarshalerForRequest(mux, r)
			writeError(r.Context(), mux, m, w, r, newFieldError("name", "no part of a name contains a /").status())
			return
		}
		r.URL.RawPath = path // so that it is unescaped once, behind routing
		mux.ServeHTTP(w, r)
	}), nil
}

// routingError answers a request whose path or method is unknown.
func routingError(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	err := withDetails(codes.NotFound, "UNKNOWN_PATH", fmt.Sprintf("there is nothing at %.200q: GET /openapi.json lists the paths", r.URL.Path), nil)
	if code == http.StatusMethodNotAllowed {
		err = &runtime.HTTPStatusError{HTTPStatus: code, Err: withDetails(codes.Unimplemented, "UNKNOWN_METHOD",
			fmt.Sprintf("%.20q is not possible at this path", r.Method), nil)}
	}
	writeError(ctx, mux, m, w, r, err)
}

// writeError answers with a google.rpc.Status.
func writeError(ctx context.Context, mux *runtime.ServeMux, m runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	if status.Code(err) == codes.Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if s, ok := status.FromError(err); ok && s.Code() == codes.InvalidArgument && len(s.Details()) == 0 {
		// The generated code keeps only the text of an error of strictQuery and strictJSON.
		if field, text, ok := strings.Cut(s.Message(), ": "); ok {
			err = newFieldError(field, text).status()
		}
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, m, w, r, err)
}

// strictQuery parses the query of a URL into a request. It refuses unknown fields.
type strictQuery struct{}

// Parse implements [runtime.QueryParameterParser].
func (strictQuery) Parse(m proto.Message, values url.Values, path *utilities.DoubleArray) error {
	fields := m.ProtoReflect().Descriptor().Fields()
	for name, all := range values {
		f := fields.ByJSONName(name)
		if f == nil {
			f = fields.ByName(protoreflect.Name(name))
		}
		switch {
		case f == nil:
			return invalid(name, "the field is not known: GET /openapi.json lists the fields")
		case len(all) > 1 && !f.IsList():
			return invalid(f.JSONName(), "it is given twice")
		}
		if err := (&runtime.DefaultQueryParser{}).Parse(m, url.Values{name: all}, path); err != nil {
			return invalid(f.JSONName(), fmt.Sprintf("%q is not a value of the field: GET /openapi.json says which are", all[0]))
		}
	}
	return nil
}
