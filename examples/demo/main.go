// Command demo is a small app that has Carillon remind it of something: it schedules one job and prints each trigger
// that arrives. `make demo` runs it; it needs nothing but the environment that `carillon dev` gives to an app.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const body = `{ "job": { "data": { "@type": "type.googleapis.com/google.type.Expr", "expression": "expression1" }, "dueTime": "2s" } }`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		stop()
		os.Exit(1)
	}
}

// run serves the app until ctx ends.
func run(ctx context.Context, out io.Writer) error {
	port, api := os.Getenv("APP_PORT"), "http://localhost:"+os.Getenv("DAPR_HTTP_PORT")
	if port == "" {
		return errors.New("APP_PORT is not set: run me with `carillon dev --app-id sub --app-port 6006 -- bin/demo`")
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:"+port)
	if err != nil {
		return fmt.Errorf("listen for triggers: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /job/{name}", func(_ http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the trigger comes again
		}
		fmt.Fprintf(out, "%s  the app received job %s: %s\n", clock(), r.PathValue("name"), data)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })

	scheduled := make(chan error, 1)
	go func() {
		err := schedule(ctx, api, out)
		if err != nil {
			_ = server.Close()
		}
		scheduled <- err
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	if err := <-scheduled; ctx.Err() == nil {
		return err
	}
	return nil
}

// schedule asks for jobforjabba, as the published reference does.
func schedule(ctx context.Context, api string, out io.Writer) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, api+"/v1.0-alpha1/jobs/jobforjabba", strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("dapr-app-id", "sub")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("schedule jobforjabba: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("schedule jobforjabba: %w", err)
	}
	switch response.StatusCode {
	case http.StatusAccepted:
		fmt.Fprintf(out, "%s  scheduled job jobforjabba, due in 2s: %s\n", clock(), response.Status)
	case http.StatusConflict:
		fmt.Fprintf(out, "%s  job jobforjabba is still there from the last time, and due: %s\n", clock(), response.Status)
	default:
		return fmt.Errorf("schedule jobforjabba: %s: %s", response.Status, answer)
	}
	fmt.Fprintf(out, `Your turn. This schedules another one; its trigger arrives here:

  curl -X POST %s/v1.0-alpha1/jobs/test -H 'dapr-app-id: sub' -d '{"job": {"data": "hello", "dueTime": "5s"}}'

`, api)
	return nil
}

func clock() string { return time.Now().Format("15:04:05.000") }
