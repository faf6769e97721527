package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"carillon/internal/terminal"
)

// Dial returns a connection to the server of the flags, for a command in the working directory. See
// [Endpoint.Dial].
func (f Flags) Dial(s *terminal.Streams) (*grpc.ClientConn, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	e, err := Find(f, s, dir)
	if err != nil {
		return nil, err
	}
	return e.Dial()
}

// callTimeout is how long a call waits for its answer, unless the command gives it less. A server
// takes 30 s at most.
const callTimeout = 40 * time.Second

// reconnect says when a lost connection is opened again: soon, for a person waits.
func reconnect() grpc.ConnectParams {
	b := backoff.DefaultConfig
	b.BaseDelay, b.MaxDelay = 250*time.Millisecond, 3*time.Second
	return grpc.ConnectParams{Backoff: b, MinConnectTimeout: 10 * time.Second}
}

// Dial returns a connection to the server, which opens with the first call. The caller closes it.
// An error of a call that does not reach the server names the server and what to do.
func (e Endpoint) Dial() (*grpc.ClientConn, error) {
	secure := insecure.NewCredentials()
	if e.TLS {
		pool, err := e.authorities()
		if err != nil {
			return nil, err
		}
		secure = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool})
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(secure), grpc.WithUserAgent("carillon"), grpc.WithNoProxy(),
		grpc.WithConnectParams(reconnect()),
		grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			ctx, cancel := context.WithTimeout(ctx, callTimeout)
			defer cancel()
			return e.explain(invoke(ctx, method, req, reply, conn, opts...))
		}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, stream grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			s, err := stream(ctx, desc, conn, method, opts...)
			return s, e.explain(err)
		}),
	}
	if e.Flags.TokenFile != "" {
		options = append(options, grpc.WithPerRPCCredentials(tokenFile(e.Flags.TokenFile)))
	}
	return grpc.NewClient("passthrough:///"+e.Address, options...)
}

// explain adds to an error of a server that cannot be reached which one that is, and what to do. An
// answer of the server has details, and stays as it is.
func (e Endpoint) explain(err error) error {
	answer := status.Convert(err)
	code := answer.Code()
	if code != codes.Unavailable && code != codes.DeadlineExceeded || len(answer.Details()) > 0 {
		return err
	}
	cause := answer.Message()
	if _, dial, ok := strings.Cut(cause, "Error while dialing: "); ok {
		cause = strings.TrimSuffix(dial, `"`)
	}
	advice := "start carillon dev, or name another server with --server"
	switch {
	case !e.TLS && strings.Contains(cause, "server preface"):
		advice = "if the server has TLS, name it with https"
	case strings.Contains(cause, "first record does not look like a TLS handshake"):
		advice = "if the server has no TLS, name it with http"
	case strings.Contains(cause, "certificate signed by unknown authority"):
		advice = "give its CA certificates with --server-ca-file"
	}
	return status.Errorf(code, "no management server answers at %s (%s): %s; %s", e.Flags.Server, e.Source, cause, advice)
}

// authorities returns the CA certificates of the server, or nil for those of the system.
func (e Endpoint) authorities() (*x509.CertPool, error) {
	if e.Flags.CAFile == "" {
		return nil, nil //nolint:nilnil // those of the system
	}
	text, err := os.ReadFile(e.Flags.CAFile)
	if err != nil {
		return nil, fmt.Errorf("--server-ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--server-ca-file %s has no certificate in PEM", e.Flags.CAFile)
	}
	return pool, nil
}

// tokenFile is the path of a file with a token, which is read for each call, so that it can be
// renewed.
type tokenFile string

// GetRequestMetadata is [credentials.PerRPCCredentials.GetRequestMetadata].
func (f tokenFile) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	text, err := os.ReadFile(string(f))
	token := strings.TrimSpace(string(text))
	switch {
	case err != nil:
		return nil, status.Errorf(codes.Unauthenticated, "--token-file: %v", err)
	case token == "":
		return nil, status.Errorf(codes.Unauthenticated, "--token-file %s is empty", string(f))
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity is [credentials.PerRPCCredentials.RequireTransportSecurity]. [Find]
// allows plaintext to this host alone.
func (tokenFile) RequireTransportSecurity() bool { return false }
