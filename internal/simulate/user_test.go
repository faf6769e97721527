package simulate_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	commonv1 "github.com/dapr/dapr/pkg/proto/common/v1"
	runtimev1 "github.com/dapr/dapr/pkg/proto/runtime/v1"
	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"carillon/internal/job"
	messages "carillon/internal/wire"
)

// A user does what its program says, one step after the other, and records the answers.
type user struct {
	world   *world
	program userProgram
	clients []schedulerv1.SchedulerClient // of each scheduler
}

// An answer is what a user hears.
type answer struct {
	result  result
	version int            // that was got
	found   map[string]int // names and versions, of a list
	text    string
}

// callTime is how long a user waits, and so does the sidecar.
const callTime = 30 * time.Second

func (u *user) live(ctx context.Context) {
	defer u.connect()()
	for _, s := range u.program.steps {
		if !u.world.until(ctx, s.at) {
			return
		}
		u.do(ctx, s)
	}
}

// connect connects the user to all schedulers.
func (u *user) connect() (hangUp func()) {
	var conns []*grpc.ClientConn
	for _, address := range u.world.addresses() {
		conn := u.world.connect(u.program.name, address)
		conns = append(conns, conn)
		u.clients = append(u.clients, schedulerv1.NewSchedulerClient(conn))
	}
	return func() {
		for _, conn := range conns {
			conn.Close()
		}
	}
}

// do takes a step.
func (u *user) do(ctx context.Context, s step) {
	h := u.world.history
	e := event{
		what: asked, who: u.program.name, call: h.call(), op: s.op, key: s.app, version: s.version,
		overwrite: s.overwrite, words: s.words,
	}
	if s.name != "" {
		e.key += "/" + s.name
	}
	if s.op == schedule {
		e.text = s.spec()
	}
	direct := u.program.direct || u.world.program.app(s.app).foreign || s.op == list || s.op == removeAll
	if !direct {
		e.text += " by way of its sidecar"
	}
	h.add(e)
	var a answer
	if direct {
		a = u.ask(ctx, s)
	} else {
		a = u.askSidecar(ctx, s)
	}
	e.what, e.result, e.text, e.found = answered, a.result, a.text, a.found
	if s.op == get {
		e.version = a.version
	}
	h.add(e)
}

// ask makes the call of the scheduler itself, as a sidecar of Dapr's does.
func (u *user) ask(ctx context.Context, s step) answer {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	ready := grpc.WaitForReady(true)
	client := u.clients[s.at.Milliseconds()%int64(len(u.clients))]
	m, name := u.metadata(s)
	switch s.op {
	case schedule:
		j := &schedulerv1.Job{
			Schedule: s.words.Schedule, DueTime: s.words.DueTime, Ttl: s.words.TTL, Repeats: s.words.Repeats,
			Data: stringData(payload(s.version)),
		}
		if s.policy != "" {
			j.FailurePolicy = new(commonv1.JobFailurePolicy)
			if err := protojson.Unmarshal([]byte(s.policy), j.FailurePolicy); err != nil {
				panic(err)
			}
		}
		_, err := client.ScheduleJob(ctx, &schedulerv1.ScheduleJobRequest{Name: name, Job: j, Metadata: m, Overwrite: s.overwrite}, ready)
		return heard(err)
	case remove:
		_, err := client.DeleteJob(ctx, &schedulerv1.DeleteJobRequest{Name: name, Metadata: m}, ready)
		return heard(err)
	case removeAll:
		_, err := client.DeleteByMetadata(ctx, &schedulerv1.DeleteByMetadataRequest{Metadata: m}, ready)
		return heard(err)
	case get:
		res, err := client.GetJob(ctx, &schedulerv1.GetJobRequest{Name: name, Metadata: m}, ready)
		a := heard(err)
		a.version = versionIn(string(res.GetJob().GetData().GetValue()))
		return a
	case list:
		res, err := client.ListJobs(ctx, &schedulerv1.ListJobsRequest{Metadata: m}, ready)
		a := heard(err)
		a.found = map[string]int{}
		for _, j := range res.GetJobs() {
			a.found[keyOfTrigger(j.GetName(), j.GetMetadata())] = versionIn(string(j.GetJob().GetData().GetValue()))
		}
		return a
	default:
		panic("no such step: " + s.op)
	}
}

// metadata says whose job, or reminder, a step is about, and returns its name among those.
func (u *user) metadata(s step) (m *schedulerv1.JobMetadata, name string) {
	k := job.Key{Target: job.Target{Kind: job.App, Namespace: namespace, Name: s.app}, Name: s.name}
	if u.world.program.app(s.app).actor {
		k.Target.Kind = job.Actor
		k.ActorID, k.Name, _ = strings.Cut(s.name, "/")
	}
	return messages.Metadata(k, s.app, nil), k.Name
}

// stringData is a text as a sidecar stores it that was given it over HTTP, and shows it.
func stringData(text string) *anypb.Any {
	value, err := proto.Marshal(structpb.NewStringValue(text))
	if err != nil {
		panic(err)
	}
	return &anypb.Any{TypeUrl: "type.googleapis.com/google.protobuf.Value", Value: value}
}

// heard is what an error of a call says.
func heard(err error) answer {
	switch code := status.Code(err); {
	case err == nil:
		return answer{result: done}
	case code == codes.AlreadyExists:
		return answer{result: exists}
	case code == codes.NotFound, strings.Contains(err.Error(), "job not found"):
		return answer{result: absent}
	case refusal(err.Error()):
		return answer{result: invalid, text: err.Error()}
	default:
		return answer{result: unknown, text: err.Error()}
	}
}

// refusal reports whether a text says that a job was not stored.
func refusal(text string) bool {
	return strings.Contains(text, "job failed validation") || strings.Contains(text, "database space exceeded")
}

// askSidecar makes the call of a sidecar, over what its app speaks.
func (u *user) askSidecar(ctx context.Context, s step) answer {
	copies := u.world.replicas[s.app]
	r := copies[s.at.Milliseconds()%int64(len(copies))]
	if r.app.grpc {
		return u.call(ctx, r, s)
	}
	return u.post(ctx, r, s)
}

// call makes the call of a sidecar over gRPC.
func (u *user) call(ctx context.Context, r *replica, s step) answer {
	conn, err := grpc.NewClient("passthrough:///localhost:50001",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return r.dialAPI(ctx) }))
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	client := runtimev1.NewDaprClient(conn)
	switch s.op {
	case schedule:
		req := &runtimev1.ScheduleJobRequest{Job: new(runtimev1.Job), Overwrite: s.overwrite}
		s.overwrite = false // the job itself does not say it
		if err := protojson.Unmarshal(fmt.Appendf(nil, `{"name": %q, %s}`, s.name, s.spec()), req.Job); err != nil {
			panic(err)
		}
		req.Job.Data = stringData(payload(s.version))
		_, err := client.ScheduleJob(ctx, req)
		return heard(err)
	case remove:
		_, err := client.DeleteJob(ctx, &runtimev1.DeleteJobRequest{Name: s.name})
		return heard(err)
	default:
		res, err := client.GetJob(ctx, &runtimev1.GetJobRequest{Name: s.name})
		a := heard(err)
		a.version = versionIn(string(res.GetJob().GetData().GetValue()))
		return a
	}
}

// post makes the call of a sidecar over HTTP.
func (u *user) post(ctx context.Context, r *replica, s step) answer {
	transport := &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return r.dialAPI(ctx) },
		DisableKeepAlives: true,
	}
	method, body := map[op]string{schedule: "POST", get: "GET", remove: "DELETE"}[s.op], ""
	if s.op == schedule {
		body = fmt.Sprintf(`{"job": {"data": %q, %s}}`, payload(s.version), s.spec())
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://localhost:3500/v1.0-alpha1/jobs/"+s.name, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return answer{result: unknown, text: err.Error()}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{result: unknown, text: err.Error()}
	}
	return read(s.op, resp.StatusCode, string(text))
}

var versionText = regexp.MustCompile(`"v([0-9]+)"`)

// read is what an answer over HTTP says.
func read(asked op, code int, text string) answer {
	switch {
	case code/100 == 2:
		a := answer{result: done}
		if found := versionText.FindStringSubmatch(text); asked == get && found != nil {
			a.version, _ = strconv.Atoi(found[1])
		}
		return a
	case code == http.StatusConflict:
		return answer{result: exists}
	case strings.Contains(text, "job not found"):
		return answer{result: absent}
	case refusal(text):
		return answer{result: invalid, text: text}
	default:
		return answer{result: unknown, text: strconv.Itoa(code) + " " + strings.TrimSpace(text)}
	}
}
