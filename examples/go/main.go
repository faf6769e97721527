// Command go is an app, made with Dapr's SDK for Go, that has Carillon remind it of something once.
// It ends well when the job has come. `carillon dev` says by the environment where the API is, and
// where the app is to listen.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dapr/go-sdk/client"
	"github.com/dapr/go-sdk/service/common"
	"github.com/dapr/go-sdk/service/grpc"
	"google.golang.org/protobuf/types/known/anypb"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	err := run(ctx, os.Stdout)
	cancel()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		os.Exit(1)
	}
}

// run schedules the job and returns when the app has handled it.
func run(ctx context.Context, out io.Writer) error {
	service, err := grpc.NewService("127.0.0.1:" + os.Getenv("APP_PORT"))
	if err != nil {
		return err
	}
	handled := make(chan error, 1) // holds what comes first
	err = service.AddJobEventHandler("hello", func(_ context.Context, job *common.JobEvent) error {
		fmt.Fprintf(out, "received job hello: %s\n", job.Data)
		select {
		case handled <- nil:
		default:
		}
		return nil
	})
	if err != nil {
		return err
	}
	go func() {
		if err := service.Start(); err != nil {
			handled <- fmt.Errorf("serve the app: %w", err)
		}
	}()

	api, err := client.NewClient() // at DAPR_GRPC_PORT
	if err != nil {
		return err
	}
	defer api.Close()
	job := client.NewJob("hello", client.WithJobDueTime("2s"), client.WithJobData(&anypb.Any{Value: []byte("good morning")}))
	job.Overwrite = true
	if err := api.ScheduleJob(ctx, job); err != nil {
		return fmt.Errorf("schedule hello: %w", err)
	}
	fmt.Fprintln(out, "scheduled job hello, due in 2s")

	select {
	case err := <-handled:
		return errors.Join(err, service.GracefulStop()) // once the answer is on its way
	case <-ctx.Done():
		return fmt.Errorf("the job did not come: %w", ctx.Err())
	}
}
