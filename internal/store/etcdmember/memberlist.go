package etcdmember

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// MemberStatus is one member of a cluster as another member reports it.
type MemberStatus struct {
	Name   string   `json:"name"` // empty before its first start
	Peers  []string `json:"peers"`
	Leader bool     `json:"leads"`
	Answer string   `json:"answer"` // "yes", or the error
}

// callTimeout is how long to wait for a response of a member.
const callTimeout = 3 * time.Second

// Reach returns an error with advice if nothing listens at the endpoint. A client of etcd would
// retry silently.
func Reach(ctx context.Context, endpoint string) error {
	host := endpoint
	if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
		host = u.Host
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", host)
	if err != nil {
		return fmt.Errorf("connect to etcd at %s: %w; start the scheduler of this machine, or give the address of its etcd with --etcd", endpoint, err)
	}
	return conn.Close()
}

// dial connects to the member with that endpoint for clients.
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

// Members returns the members in the order of their names, as the one at the endpoint reports them.
func Members(ctx context.Context, endpoint string) ([]MemberStatus, error) {
	c, err := dial(ctx, endpoint)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := c.MemberList(ctx, clientv3.WithSerializable()) // this member's view: there may be no majority
	if err != nil {
		return nil, fmt.Errorf("list the members of the etcd at %s: %w", endpoint, withAdvice(err))
	}
	st, err := c.Status(ctx, endpoint)
	if err != nil {
		return nil, fmt.Errorf("read the status of the etcd at %s: %w", endpoint, withAdvice(err))
	}
	var all []MemberStatus
	for _, m := range list.Members {
		all = append(all, MemberStatus{Name: m.Name, Peers: m.PeerURLs, Leader: m.ID == st.Leader, Answer: health(ctx, m.PeerURLs)})
	}
	slices.SortFunc(all, func(a, b MemberStatus) int { return slices.Compare([]string{a.Name}, []string{b.Name}) })
	return all, nil
}

// withAdvice adds advice to the error of a call that timed out.
func withAdvice(err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("it listens but does not respond: a majority of the schedulers must run; start the others and retry: %w", err)
}

// health returns "yes" if the member responds to its peers, or the error. A member with TLS counts
// as healthy if it listens: the caller has no certificate.
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

// peerMember is a member in the response of another member.
type peerMember struct {
	Name string   `json:"name"`
	URLs []string `json:"peerURLs"`
}

// membersOf returns the members that the member at a peer address reports.
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
