package main

import (
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scheduleInScript is the command "schedule JOB BODY" of scripts. It schedules a job at the sidecar whose HTTP
// port is in the file port, once there is that file.
func scheduleInScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: schedule JOB BODY")
	}
	file, deadline := ts.MkAbs("port"), time.Now().Add(patience)
	for _, err := os.Stat(file); err != nil; _, err = os.Stat(file) {
		if time.Now().After(deadline) {
			ts.Fatalf("there is no file port: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	url := "http://127.0.0.1:" + strings.TrimSpace(ts.ReadFile(file)) + "/v1.0-alpha1/jobs/" + args[0]
	client := http.Client{Timeout: patience}
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(args[1]))
	ts.Check(err)
	resp, err := client.Do(req)
	ts.Check(err)
	resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		ts.Fatalf("schedule %s: %s", args[0], resp.Status)
	}
}
