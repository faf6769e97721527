package sidecar

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"mime"
	"net/http"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"

	"carillon/internal/job"
	"carillon/internal/wire"
)

// The bounds of a batch. Its jobs go to a scheduler by the portion, while the next portion is read: so a batch of lines
// holds no more than two portions and its results in memory.
const (
	maxBatchJobs = 100_000
	portionJobs  = 1000
	portionBytes = 1 << 20 // about

	// Of a portion's doubts so many are kept: an answer has room for fewer, and so has the log.
	maxPortionDoubts = 8 * maxWarnings
)

// postBatch answers POST /v1/jobs/batch: jobs as an array, which is refused as a whole if it is not one; or a line for
// each, which are scheduled while they come. The answer has a result for each in its place, and the same form. It is
// written when the whole request has been read: most clients do not read before they have sent everything.
func (s *Sidecar) postBatch(w http.ResponseWriter, r *http.Request) {
	target, err := s.target(r.Header.Values(appHeader))
	if err != nil {
		answer(w, target, err)
		return
	}
	b := &batch{sidecar: s, target: target, published: r.Header.Get(appHeader) != "", held: reservation{of: &s.calls}, unserved: s.unserved(target)}
	defer b.held.end()
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // the rest of the API does not ask for one, either
	if media == ndjson {
		if !b.held.take(int(s.cfg.MaxBody)) {
			writeError(w, s.calls.tooMany(target))
			return
		}
		client := http.NewResponseController(w)
		// From one thousand lines to the next as long as any request has: the client may have waited for us.
		goOn := func() {
			_ = client.SetReadDeadline(time.Now().Add(bodyTime))
			_ = client.SetWriteDeadline(time.Now().Add(takeTime))
		}
		b.lines = true
		b.run(withWarnings(r.Context(), w.Header()), b.readLines(r.Body, goOn))
		goOn()
		b.write(w, ndjson, "", "\n", "\n")
		return
	}
	body, held, err := s.readBody(r, target)
	if err != nil {
		answer(w, target, err)
		return
	}
	defer held.end()
	if !held.take(2 * len(body)) { // for the buffer of a decoder
		writeError(w, s.calls.tooMany(target))
		return
	}
	jobs, e := b.array(body)
	if e != nil {
		writeError(w, e)
		return
	}
	b.run(withWarnings(r.Context(), w.Header()), jobs)
	b.write(w, "application/json", "[", ",", "]")
}

const ndjson = "application/x-ndjson"

// A batch is one request's jobs on their way.
type batch struct {
	sidecar   *Sidecar
	target    job.Target
	published bool   // it is in the published dialect, whatever form its jobs have
	lines     bool   // it has a job on each line
	unserved  string // to warn of once; empty if it is not so
	next      portion
	inWork    <-chan portion // yields the one that is being scheduled; nil if there is none
	results   [][]byte
	refused   bool        // some jobs were
	held      reservation // for the lines as they come, and the results
}

// A portion is some jobs of a batch that are scheduled together.
type portion struct {
	results  []batchResult
	requests []*schedulerv1.ScheduleJobRequest // those without a result so far
	errs     []error                           // of requests
	bytes    int                               // of what came, or of the requests if that is more
	doubts   int                               // of all results
	held     *reservation                      // for the requests; nil if there are none
}

// A batchResult is that of one job: what a call for this job alone would have been answered with.
type batchResult struct {
	name      string
	published bool // the dialect
	err       *wire.APIError
	doubts    []string // to warn of if it is accepted
}

// run schedules what items yields: jobs, or what is wrong with what stands in the place of one. It reads no more when
// there is no room for results.
func (b *batch) run(ctx context.Context, items iter.Seq2[[]byte, *wire.APIError]) {
	for item, e := range items {
		if len(b.next.results) == portionJobs || b.next.bytes > portionBytes {
			if !b.schedule(ctx) {
				b.giveUp()
				break
			}
		}
		b.add(item, e)
	}
	if !b.schedule(ctx) {
		b.giveUp()
		b.schedule(ctx)
	}
	b.schedule(ctx)
}

// giveUp has one result say that there is no room for those of the next portion, which is not scheduled.
func (b *batch) giveUp() {
	b.next.held.end()
	b.next = portion{results: []batchResult{{err: b.sidecar.calls.tooMany(b.target)}}}
}

// add reads a job into the next portion.
func (b *batch) add(item []byte, e *wire.APIError) {
	p := &b.next
	if e != nil {
		p.results = append(p.results, batchResult{err: e})
		return
	}
	if p.held == nil {
		p.held = &reservation{of: &b.sidecar.calls}
	}
	r, body, e := p.held.parse(b.target, item)
	p.bytes += max(len(item), len(r.GetJob().GetData().GetValue()))
	if e != nil {
		if b.lines && len(item) > 0 && item[0] == '[' {
			e = e.WithHelp("leave out Content-Type: " + ndjson + ", which announces a job on each line, to send an array")
		}
		p.results = append(p.results, batchResult{err: e})
		return
	}
	result := batchResult{
		name: r.GetJob().GetName(), published: b.published || body.Form == wire.WrappedBody,
		err: wire.CheckAPIJob(b.target, r.GetJob()),
	}
	if result.err != nil {
		result.err = result.err.HelpEmpty(body, item)
	} else {
		found := body.Warnings(item)
		if b.sidecar.cfg.Strict && b.unserved != "" {
			found = append(found, b.unserved)
		}
		result.doubts, result.err = b.sidecar.doubt(b.target, r, result.published, found)
		if p.doubts += len(result.doubts); p.doubts > maxPortionDoubts {
			result.doubts = nil
		}
	}
	p.results = append(p.results, result)
	if result.err == nil {
		p.requests = append(p.requests, wire.APIScheduleRequest(b.target, r))
	}
}

func (b *batch) tooMany() *wire.APIError {
	return wire.NewAPIError(wire.ReasonTooManyJobs, b.target,
		fmt.Sprintf("a batch has at most %d jobs: send several", maxBatchJobs))
}

// schedule waits for the portion that is being scheduled, and has the next one scheduled, if there is any and still
// room for results.
func (b *batch) schedule(ctx context.Context) (room bool) {
	room = true
	if b.inWork != nil {
		room = b.settle(ctx, <-b.inWork)
		b.inWork = nil
	}
	if !room || len(b.next.results) == 0 {
		return room
	}
	p, done := b.next, make(chan portion, 1)
	b.next, b.inWork = portion{}, done
	go func() {
		if len(p.requests) > 0 {
			p.errs = b.sidecar.schedulers.scheduleAll(ctx, p.requests)
		}
		done <- p
	}()
	return true
}

// settle notes the results of a portion, and reports whether there was room for them.
func (b *batch) settle(ctx context.Context, p portion) bool {
	defer p.held.end()
	size := 0
	for _, r := range p.results {
		if r.err == nil {
			if err := p.errs[0]; err != nil {
				e := wire.ScheduleFailed(b.target, err).HelpSchedule(err, p.requests[0], time.Now())
				r.err = failed(e, err, r.published)
			}
			p.errs, p.requests = p.errs[1:], p.requests[1:]
		}
		if r.err == nil && b.unserved != "" {
			b.sidecar.warn(ctx, b.target, r.name, b.unserved)
			b.unserved = ""
		}
		if r.err == nil {
			for _, d := range r.doubts {
				b.sidecar.warn(ctx, b.target, r.name, fmt.Sprintf("job %+.64q: %s", r.name, d))
			}
		}
		b.refused = b.refused || r.err != nil
		result := wire.APIResult(r.name, r.err)
		b.results = append(b.results, result)
		size += len(result)
	}
	return b.held.take(size)
}

// write writes the results, with something around and between them.
func (b *batch) write(w http.ResponseWriter, media, before, between, after string) {
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
	_ = out.Flush() // a client that has gone needs no answer
}
