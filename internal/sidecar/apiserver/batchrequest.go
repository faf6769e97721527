package apiserver

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"net/http"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"

	"carillon/internal/bulkv1"
	"carillon/internal/job"
	"carillon/internal/wire"
)

// The limits of a batch. Its jobs are scheduled in chunks, while the next chunk is read. So a batch
// of lines has at most two chunks and its results in memory.
const (
	maxBatchJobs = 100_000
	chunkJobs    = 1000
	chunkBytes   = 1 << 20 // about

	// maxChunkWarnings is how many warnings of a chunk are kept. Neither the response nor the log
	// shows more.
	maxChunkWarnings = 8 * maxWarnings
)

const ndjson = "application/x-ndjson"

// A batchRequest is the jobs of one request to POST /v1/jobs/batch.
type batchRequest struct {
	jobs      *jobService
	bodies    bodyReader
	target    job.Target
	published bool   // the batch is in the published dialect, whatever the form of its jobs
	lines     bool   // the request has a job on each line
	unserved  string // a warning to be given once, or empty
	next      chunk
	inFlight  <-chan chunk // yields the chunk that is being scheduled; nil if there is none
	results   [][]byte
	refused   bool        // at least one job was
	held      reservation // for the lines as they arrive, and the results
}

// A chunk is jobs of a batch that are scheduled together.
type chunk struct {
	results  []jobResult
	requests []*schedulerv1.ScheduleJobRequest // of the results without an error
	exts     []*bulkv1.JobExt                  // of the requests; nil if none has one
	errs     []error                           // of requests
	bytes    int                               // of the input, or of the requests if that is more
	warnings int                               // of all results
	held     *reservation                      // for the requests; nil if there are none
}

// A jobResult is what a call for this job alone would have returned.
type jobResult struct {
	name      string
	published bool // the dialect
	err       *wire.APIError
	warnings  []string // to be given if the job is accepted
}

// run schedules the items: jobs, or the error in the place of one. It stops reading if the results
// exceed the limit of bytes.
func (b *batchRequest) run(ctx context.Context, items iter.Seq2[[]byte, *wire.APIError]) {
	for item, e := range items {
		if len(b.next.results) == chunkJobs || b.next.bytes > chunkBytes {
			if !b.advance(ctx) {
				b.rejectNext()
				break
			}
		}
		b.add(item, e)
	}
	if !b.advance(ctx) {
		b.rejectNext()
		b.advance(ctx)
	}
	b.advance(ctx)
}

// rejectNext replaces the next chunk by one result that says that the results exceed the limit.
func (b *batchRequest) rejectNext() {
	b.next.held.release()
	b.next = chunk{results: []jobResult{{err: b.bodies.calls.tooMany(b.target)}}}
}

// add adds an item to the next chunk.
func (b *batchRequest) add(item []byte, e *wire.APIError) {
	c := &b.next
	if e != nil {
		c.results = append(c.results, jobResult{err: e})
		return
	}
	if c.held == nil {
		c.held = &reservation{limit: b.bodies.calls}
	}
	r, body, e := c.held.parseJob(b.target, item)
	c.bytes += max(len(item), len(r.GetJob().GetData().GetValue()))
	if e != nil {
		if b.lines && len(item) > 0 && item[0] == '[' {
			e = e.WithHelp("leave out Content-Type: " + ndjson + ", which announces a job on each line, to send an array")
		}
		c.results = append(c.results, jobResult{err: e})
		return
	}
	result := jobResult{
		name: r.GetJob().GetName(), published: b.published || body.Form == wire.WrappedBody,
		err: wire.CheckAPIJob(b.target, r.GetJob()),
	}
	if result.err != nil {
		result.err = result.err.HelpEmpty(body, item)
	} else {
		found := body.Warnings(item)
		if b.jobs.checker.strict && b.unserved != "" {
			found = append(found, b.unserved)
		}
		result.warnings, result.err = b.jobs.checker.check(b.target, r, result.published, found)
		if c.warnings += len(result.warnings); c.warnings > maxChunkWarnings {
			result.warnings = nil
		}
	}
	c.results = append(c.results, result)
	if result.err == nil {
		c.addRequest(wire.APIScheduleRequest(b.target, r), bulkv1.NewJobExt(body.Ext))
	}
}

// addRequest adds the request for a job, and its ext if that is not nil.
func (c *chunk) addRequest(r *schedulerv1.ScheduleJobRequest, ext *bulkv1.JobExt) {
	if ext != nil && c.exts == nil {
		c.exts = make([]*bulkv1.JobExt, len(c.requests), chunkJobs)
	}
	c.requests = append(c.requests, r)
	if c.exts != nil {
		c.exts = append(c.exts, ext)
	}
}

func (b *batchRequest) tooManyJobs() *wire.APIError {
	return wire.NewAPIError(wire.ReasonTooManyJobs, b.target,
		fmt.Sprintf("a batch has at most %d jobs: send several", maxBatchJobs))
}

// advance waits for the chunk in flight, and starts scheduling the next one, unless that is empty.
// It reports whether the results are within the limit of bytes.
func (b *batchRequest) advance(ctx context.Context) (ok bool) {
	ok = true
	if b.inFlight != nil {
		ok = b.collect(ctx, <-b.inFlight)
		b.inFlight = nil
	}
	if !ok || len(b.next.results) == 0 {
		return ok
	}
	c, done := b.next, make(chan chunk, 1)
	b.next, b.inFlight = chunk{}, done
	go func() {
		if len(c.requests) > 0 {
			c.errs = b.jobs.schedulers.ScheduleAll(ctx, c.requests, c.exts)
		}
		done <- c
	}()
	return true
}

// collect adds the results of a chunk, and reports whether they are within the limit of bytes.
func (b *batchRequest) collect(ctx context.Context, c chunk) bool {
	defer c.held.release()
	size := 0
	for _, r := range c.results {
		if r.err == nil {
			if err := c.errs[0]; err != nil {
				e := wire.ScheduleFailed(b.target, err).HelpSchedule(err, c.requests[0], time.Now())
				r.err = inDialect(e, err, r.published)
			}
			c.errs, c.requests = c.errs[1:], c.requests[1:]
		}
		if r.err == nil && b.unserved != "" {
			b.jobs.warner.warn(ctx, b.target, r.name, b.unserved)
			b.unserved = ""
		}
		if r.err == nil {
			for _, text := range r.warnings {
				b.jobs.warner.warn(ctx, b.target, r.name, fmt.Sprintf("job %+.64q: %s", r.name, text))
			}
		}
		b.refused = b.refused || r.err != nil
		result := wire.APIResult(r.name, r.err)
		b.results = append(b.results, result)
		size += len(result)
	}
	return b.held.reserve(size)
}

// write writes the results with the given separators.
func (b *batchRequest) write(w http.ResponseWriter, media, before, between, after string) {
	w.Header().Set("Content-Type", media)
	if b.refused {
		w.WriteHeader(http.StatusMultiStatus)
	}
	if len(b.results) == 0 && media == ndjson {
		return
	}
	out := bufio.NewWriter(w)
	_, _ = out.WriteString(before)
	for i, result := range b.results {
		if i > 0 {
			_, _ = out.WriteString(between)
		}
		_, _ = out.Write(result)
	}
	_, _ = out.WriteString(after)
	_ = out.Flush() // a client that has disconnected needs no response
}
