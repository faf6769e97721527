package etcdmember

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// A Standing is one member of a cluster as the others know it.
type MemberStatus struct {
	Name   string   `json:"name"` // empty before it has started for the first time
	Peers  []string `json:"peers"`
	Leader bool     `json:"leads"`
	Answer string   `json:"answer"` // "yes", or why it does not answer
}

// askTime is how long an answer of a member is waited for.
const callTimeout = 3 * time.Second

// Reach returns an error that says what to do if nobody listens at the endpoint. A client of etcd would try again, and say
// nothing of it.
func Reach(ctx context.Context, endpoint string) error {
	host := endpoint
	if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
		host = u.Host
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", host)
	if err != nil {
		return fmt.Errorf("connect to etcd at %s: %w; start the scheduler of this machine, or name the address of its etcd with --etcd", endpoint, err)
	}
	return conn.Close()
}

// dial connects to the member that listens for clients at the endpoint.
func dial(ctx context.Context, endpoint string) (*clientv3.Client, error) {
	if err := Reach(ctx, endpoint); err != nil {
		return nil, err
	}
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, DialTimeout: callTimeout, Logger: zap.NewNop()})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd at %s: %w", endpoint, err)
	}
	return c, nil
}

// Members returns who is a member, as the one at the endpoint says, in the order of their names.
func Members(ctx context.Context, endpoint string) ([]MemberStatus, error) {
	c, err := dial(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.MemberList(ctx, clientv3.WithSerializable()) // as this member knows it: there may be no majority
	if err != nil {
		return nil, fmt.Errorf("ask the etcd at %s for its members: %w", endpoint, withAdvice(err))
	}
	st, err := c.Status(ctx, endpoint)
	if err != nil {
		return nil, fmt.Errorf("ask the etcd at %s who leads: %w", endpoint, withAdvice(err))
	}
	var all []MemberStatus
	for _, m := range list.Members {
		all = append(all, MemberStatus{Name: m.Name, Peers: m.PeerURLs, Leader: m.ID == st.Leader, Answer: health(ctx, m.PeerURLs)})
	}
	slices.SortFunc(all, func(a, b MemberStatus) int { return slices.Compare([]string{a.Name}, []string{b.Name}) })
	return all, nil
}

// silent adds to the error of a call that has had no answer what can be done about it.
func withAdvice(err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("it listens, and has not answered in time: more than half of the schedulers must run, start the others, and try again: %w", err)
}

// answers says whether a member answers its peers. One that asks for certificates is taken to, if it listens: those are not
// here.
func health(ctx context.Context, peers []string) string {
	for _, u := range peers {
		if err := checkPeer(ctx, u); err != nil {
			return err.Error()
		}
	}
	return "yes"
}

func checkPeer(ctx context.Context, peer string) error {
	if host, secure := strings.CutPrefix(peer, "https://"); secure {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", host)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	_, err := membersOf(ctx, http.DefaultClient, peer)
	return err
}

// Replace makes room for a new member of that name in the place of one whose data is lost: the cluster forgets the old
// one, and expects one that begins with nothing. The member at the endpoint is asked to do so; it needs a majority.
func Replace(ctx context.Context, endpoint, name string) error {
	c, err := dial(ctx, endpoint)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*callTimeout)
	defer cancel()
	list, err := c.MemberList(ctx, clientv3.WithSerializable())
	if err != nil {
		return fmt.Errorf("ask the etcd at %s for its members: %w", endpoint, withAdvice(err))
	}
	for _, m := range list.Members {
		if m.Name != name {
			continue
		}
		if health(ctx, m.PeerURLs) == "yes" {
			return fmt.Errorf("the member %q answers at %s: stop it first, or leave it as it is", name, m.PeerURLs[0])
		}
		if _, err := c.MemberRemove(ctx, m.ID); err != nil {
			return fmt.Errorf("remove the member %q: %w", name, withAdvice(err))
		}
		return addMember(ctx, c, name, m.PeerURLs)
	}
	var names []string
	for _, m := range list.Members {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	return fmt.Errorf("no member is called %q: there are %q", name, names)
}

// add adds a member that begins with nothing. Etcd refuses that until the others have been connected for five seconds, and
// then it is tried again: they have just lost one.
func addMember(ctx context.Context, c *clientv3.Client, name string, peers []string) error {
	for {
		_, err := c.MemberAdd(ctx, peers)
		if err == nil {
			return nil
		}
		timer := time.NewTimer(callTimeout / 10)
		select {
		case <-timer.C:
			if errors.Is(err, rpctypes.ErrUnhealthy) {
				continue
			}
		case <-ctx.Done():
			timer.Stop()
		}
		return fmt.Errorf("the member %q is removed; add it again at %s: %w", name, peers[0], err)
	}
}

// A remote is a member as one of its peers knows it.
type peerMember struct {
	Name string   `json:"name"`
	URLs []string `json:"peerURLs"`
}

// known returns the members that the one at that peer's address knows.
func membersOf(ctx context.Context, client *http.Client, peer string) ([]peerMember, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, peer+"/members", nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var all []peerMember
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", peer, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		return nil, fmt.Errorf("%s: %w", peer, err)
	}
	return all, nil
}

// errLostData says that a member begins with nothing, where the others remember it.
var errLostData = errors.New("the folder is empty, but the other members remember this one: if its data is lost, run 'carillon member replace' on the machine of another, and start this one again")

// joining reports whether the cluster is there already and expects a member that begins with nothing at this one's
// address.
func (c Config) isExpected(ctx context.Context) bool {
	if log, err := os.ReadDir(filepath.Join(c.Dir, "member", "wal")); err == nil && len(log) > 0 {
		return false // it goes on with what it has
	}
	client := http.DefaultClient
	if c.TLS != nil {
		secure, err := c.TLS.client()
		if err != nil {
			return false // which etcd says better
		}
		t := &http.Transport{TLSClientConfig: secure}
		defer t.CloseIdleConnections()
		client = &http.Client{Transport: t}
	}
	own := c.Peers[c.Name]
	for name, peer := range c.Peers {
		if name == c.Name {
			continue
		}
		all, _ := membersOf(ctx, client, peer) // it may not be there, or be starting as well
		for _, m := range all {
			if slices.Contains(m.URLs, own) && m.Name == "" {
				return true
			}
		}
	}
	return false
}
