package crash_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/protobuf/types/known/anypb"
)

// A world is what users and apps know of a node, over all of its lives.
type world struct {
	mu    sync.Mutex
	life  int             // guarded by mu; how often the node was ended so far
	jobs  map[string]*job // guarded by mu; by name
	came  int             // guarded by mu; triggers in all
	held  bool            // guarded by mu; apps do not answer
	wrong []string        // guarded by mu; promises that were broken
}

// A job is what is known of one. Its fields are guarded by its world's mu.
type job struct {
	first      time.Time
	every      time.Duration
	times      int // how often it is due
	payload    []byte
	acked      bool      // its user was told that it is there
	deleted    time.Time // when its user was told that it is gone
	mayBeGone  bool      // a user has tried to delete it
	came       int
	lives      int // killed lives in which it was delivered: each may redeliver one occurrence
	lastLife   int
	lastCame   time.Time
	unanswered bool
}

func newWorld() *world { return &world{jobs: map[string]*job{}} }

// due returns how often j is due up to now.
func (j *job) due(now time.Time) int {
	if now.Before(j.first) {
		return 0
	}
	if j.times == 1 {
		return 1
	}
	return min(j.times, 1+int(now.Sub(j.first)/j.every))
}

const namespace = "default"

// apps are those of the load.
func apps() []string { return []string{"one", "two", "three"} }

func metadata(app string) *schedulerv1.JobMetadata {
	return &schedulerv1.JobMetadata{AppId: app, Namespace: namespace, Target: &schedulerv1.JobTargetMetadata{
		Type: &schedulerv1.JobTargetMetadata_Job{Job: new(schedulerv1.TargetJob)},
	}}
}

// plan makes up a job that is due once or several times within seconds.
func plan(r *rand.Rand) *job {
	j := &job{first: time.Now().Add(time.Duration(r.IntN(1500)) * time.Millisecond).Round(0), times: 1, lastLife: -1}
	if r.IntN(3) == 0 {
		j.times, j.every = 2+r.IntN(4), time.Duration(50+r.IntN(400))*time.Millisecond
	}
	j.payload = make([]byte, []int{0, 30, 300, 3000}[r.IntN(4)])
	for i := range j.payload {
		j.payload[i] = byte(r.Uint32())
	}
	return j
}

// request is how a user asks for j.
func (j *job) request(app, name string) *schedulerv1.ScheduleJobRequest {
	due := j.first.UTC().Format(time.RFC3339Nano)
	asked := &schedulerv1.Job{DueTime: &due, Data: &anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.BytesValue", Value: j.payload}}
	if j.times > 1 {
		schedule, repeats := "@every "+j.every.String(), uint32(j.times)
		asked.Schedule, asked.Repeats = &schedule, &repeats
	}
	return &schedulerv1.ScheduleJobRequest{Name: name, Job: asked, Metadata: metadata(app)}
}

// use has a user schedule jobs, and delete some of them before they are due, until a call fails or ctx ends.
func (w *world) use(ctx context.Context, c schedulerv1.SchedulerClient, user string, r *rand.Rand, pause time.Duration) {
	for i := 0; ctx.Err() == nil; i++ {
		app := apps()[r.IntN(len(apps()))]
		name, j := fmt.Sprintf("%s-%d", user, i), plan(r)
		remove := r.IntN(8) == 0
		if remove {
			j.first = j.first.Add(time.Second)
		}
		w.mu.Lock()
		w.jobs[name] = j
		w.mu.Unlock()
		if _, err := c.ScheduleJob(ctx, j.request(app, name)); err != nil {
			return
		}
		w.mu.Lock()
		j.acked, j.mayBeGone = true, remove
		w.mu.Unlock()
		if remove {
			if _, err := c.DeleteJob(ctx, &schedulerv1.DeleteJobRequest{Name: name, Metadata: metadata(app)}); err != nil {
				return
			}
			w.mu.Lock()
			j.deleted = time.Now()
			w.mu.Unlock()
		}
		time.Sleep(pause)
	}
}

// serve is an app: it takes triggers, and answers them all with success unless apps are held, until the stream ends.
func (w *world) serve(ctx context.Context, c schedulerv1.SchedulerClient, app string) {
	watch(ctx, c, app, func(r *schedulerv1.WatchJobsResponse) bool { return w.receive(r, time.Now()) })
}

// watch passes an app's triggers to got, and answers those with success of which it says so, until the stream ends.
func watch(ctx context.Context, c schedulerv1.SchedulerClient, app string, got func(*schedulerv1.WatchJobsResponse) (answer bool)) {
	stream, err := c.WatchJobs(ctx)
	if err != nil {
		return
	}
	hello := &schedulerv1.WatchJobsRequestInitial{
		AppId: app, Namespace: namespace,
		AcceptJobTypes: []schedulerv1.JobTargetType{schedulerv1.JobTargetType_JOB_TARGET_TYPE_JOB},
	}
	err = stream.Send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Initial{Initial: hello}})
	for err == nil {
		var trigger *schedulerv1.WatchJobsResponse
		if trigger, err = stream.Recv(); err != nil || !got(trigger) {
			continue
		}
		result := &schedulerv1.WatchJobsRequestResult{Id: trigger.GetId()}
		err = stream.Send(&schedulerv1.WatchJobsRequest{WatchJobRequestType: &schedulerv1.WatchJobsRequest_Result{Result: result}})
	}
}

// receive notes a trigger, and whether it breaks a promise. It reports whether the app answers.
func (w *world) receive(trigger *schedulerv1.WatchJobsResponse, now time.Time) (answers bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	broken := func(format string, args ...any) {
		w.wrong = append(w.wrong, trigger.GetName()+" "+fmt.Sprintf(format, args...))
	}
	w.came++
	j := w.jobs[trigger.GetName()]
	if j == nil {
		broken("came, and nobody asked for it")
		return true
	}
	if string(trigger.GetData().GetValue()) != string(j.payload) {
		broken("came with %d bytes, and not with its own %d", len(trigger.GetData().GetValue()), len(j.payload))
	}
	if !j.deleted.IsZero() && j.deleted.Before(j.first) {
		broken("came at %v, and was deleted at %v before it was due", now, j.deleted)
	}
	if j.unanswered && j.lastLife == w.life {
		broken("came while it was out")
	}
	again := j.lives // of those that came so far, so many may have been the same occurrence
	if j.lastLife >= 0 && j.lastLife < w.life {
		again++
	}
	if j.came+1 > j.due(now)+again {
		broken("came for time %d at %v, of which %d at most were owed again: it is due %d times by then", j.came+1, now, again, j.due(now))
	}
	if j.lastLife != w.life {
		if j.lastLife >= 0 {
			j.lives++
		}
		j.lastLife = w.life
	}
	j.came++
	j.lastCame, j.unanswered = now, w.held
	return !w.held
}

// hold has apps answer or not from now on. It returns how many triggers have come so far.
func (w *world) hold(held bool) (came int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = held
	return w.came
}

// acknowledged returns of how many jobs users were told that they are there.
func (w *world) acknowledged() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, j := range w.jobs {
		if j.acked {
			n++
		}
	}
	return n
}

// over notes that the node was ended. It returns how many jobs came within the last while, which is how many may come
// again.
func (w *world) over(while time.Duration) (recent int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, j := range w.jobs {
		if j.lastLife == w.life && (j.unanswered || time.Since(j.lastCame) < while) {
			recent++
		}
	}
	w.life++
	return recent
}

// missing returns a job that has not come as often as its user was promised, or has begun to come
// and is not at its end, or "".
func (w *world) missing() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, j := range w.jobs {
		if (j.acked || j.came > 0) && !j.mayBeGone && j.came < j.times {
			return fmt.Sprintf("%s, due %d times from %v on, came %d times", name, j.times, j.first, j.came)
		}
	}
	return ""
}

// A load is users and apps at work on one node.
type load struct {
	stop        context.CancelFunc // the users
	users, apps sync.WaitGroup
}

// load sets users and apps to work on n.
func (w *world) load(t *testing.T, n *node, seed uint64) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l, c := &load{stop: stop}, n.connect(t)
	for _, app := range apps() {
		l.apps.Go(func() { w.serve(t.Context(), c, app) })
	}
	for user := range 16 {
		name, r := fmt.Sprintf("%d-%d", seed, user), rand.New(rand.NewPCG(seed, uint64(user)))
		l.users.Go(func() { w.use(ctx, c, name, r, 2*time.Millisecond) })
	}
	return l
}

// rest lets the users go home.
func (l *load) rest() {
	l.stop()
	l.users.Wait()
}

// wait returns when all clients have left an ended node.
func (l *load) wait() {
	l.rest()
	l.apps.Wait()
}

// A sum is what came of all jobs.
type sum struct{ acked, triggers, again int }

// check waits until all that was promised has come, and fails the test over what is wrong.
func (w *world) check(t *testing.T) sum {
	t.Helper()
	for range 2 { // what nobody was promised may begin meanwhile
		for deadline := time.Now().Add(patience); w.missing() != "" && time.Now().Before(deadline); {
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(700 * time.Millisecond) // for what must not come
	}
	if missing := w.missing(); missing != "" {
		t.Errorf("lost: %s", missing)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, wrong := range w.wrong {
		t.Error(wrong)
		if i == 10 {
			t.Errorf("and %d more like these", len(w.wrong)-i)
			break
		}
	}
	var s sum
	for name, j := range w.jobs {
		s.triggers += j.came
		if j.acked {
			s.acked++
		}
		if j.came > 0 && j.came < j.times && !j.mayBeGone {
			t.Errorf("%s came %d times of %d and no more (acknowledged: %v)", name, j.came, j.times, j.acked)
		}
		if more := j.came - j.times; more > 0 {
			s.again += more
			if more > j.lives {
				t.Errorf("%s was delivered %d times instead of %d, after %d kills that may redeliver it", name, j.came, j.times, j.lives)
			}
		}
	}
	return s
}
