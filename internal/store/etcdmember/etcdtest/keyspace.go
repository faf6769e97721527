package etcdtest

import (
	"bytes"
	"cmp"
	"slices"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// A keyspace is the keys of an etcd, with their history.
type keyspace struct {
	keys      map[string]*mvccpb.KeyValue
	history   []event       // in order; the events of one transaction have one revision
	now       int64         // the revision
	compacted int64         // the oldest readable revision
	changed   chan struct{} // closed, and replaced, with each transaction that writes
}

type event struct {
	revision int64
	*mvccpb.Event
}

func newKeyspace() keyspace {
	return keyspace{now: 1, keys: map[string]*mvccpb.KeyValue{}, changed: make(chan struct{})}
}

func (k *keyspace) header() *etcdserverpb.ResponseHeader {
	return &etcdserverpb.ResponseHeader{ClusterId: 1, MemberId: 1, Revision: k.now, RaftTerm: 1}
}

// holds reports whether key is in the range from, to as etcd encodes it.
func holds(key, from, to []byte) bool {
	switch k := string(key); {
	case len(to) == 0:
		return k == string(from)
	case len(to) == 1 && to[0] == 0:
		return k >= string(from)
	default:
		return k >= string(from) && k < string(to)
	}
}

// at returns the keys at that revision; 0 is the present one.
func (k *keyspace) at(revision int64) map[string]*mvccpb.KeyValue {
	if revision == 0 || revision >= k.now {
		return k.keys
	}
	then := map[string]*mvccpb.KeyValue{}
	for _, e := range k.history {
		switch {
		case e.revision > revision:
			return then
		case e.Type == mvccpb.DELETE:
			delete(then, string(e.Kv.Key))
		default:
			then[string(e.Kv.Key)] = e.Kv
		}
	}
	return then
}

// find returns the pairs in a range, in the order of keys.
func (k *keyspace) find(revision int64, from, to []byte) (found []*mvccpb.KeyValue) {
	for _, kv := range k.at(revision) {
		if holds(kv.Key, from, to) {
			found = append(found, kv)
		}
	}
	slices.SortFunc(found, func(a, b *mvccpb.KeyValue) int { return cmp.Compare(string(a.Key), string(b.Key)) })
	return found
}

func (k *keyspace) read(r *etcdserverpb.RangeRequest) *etcdserverpb.RangeResponse {
	found := k.find(r.GetRevision(), r.GetKey(), r.GetRangeEnd())
	resp := &etcdserverpb.RangeResponse{Header: k.header(), Count: int64(len(found))}
	if r.GetCountOnly() {
		return resp
	}
	if r.GetSortTarget() == etcdserverpb.RangeRequest_CREATE { // a query for the oldest key
		slices.SortStableFunc(found, func(a, b *mvccpb.KeyValue) int {
			return cmp.Compare(a.CreateRevision, b.CreateRevision)
		})
	}
	if limit := int(r.GetLimit()); limit > 0 && len(found) > limit {
		found, resp.More = found[:limit], true
	}
	for _, kv := range found {
		c := *kv
		if c.Value = bytes.Clone(kv.Value); r.GetKeysOnly() {
			c.Value = nil
		}
		resp.Kvs = append(resp.Kvs, &c)
	}
	return resp
}

// compare reports whether c is true for all keys in its range. A key without a value counts as never
// written.
func (k *keyspace) compare(c *etcdserverpb.Compare) bool {
	all := k.find(0, c.GetKey(), c.GetRangeEnd())
	if len(all) == 0 {
		all = []*mvccpb.KeyValue{{}}
	}
	return !slices.ContainsFunc(all, func(kv *mvccpb.KeyValue) bool {
		var order int
		switch c.GetTarget() {
		case etcdserverpb.Compare_CREATE:
			order = cmp.Compare(kv.CreateRevision, c.GetCreateRevision())
		case etcdserverpb.Compare_MOD:
			order = cmp.Compare(kv.ModRevision, c.GetModRevision())
		case etcdserverpb.Compare_VERSION:
			order = cmp.Compare(kv.Version, c.GetVersion())
		case etcdserverpb.Compare_LEASE:
			order = cmp.Compare(kv.Lease, c.GetLease())
		case etcdserverpb.Compare_VALUE:
			order = cmp.Compare(string(kv.Value), string(c.GetValue()))
		}
		results := map[etcdserverpb.Compare_CompareResult]bool{
			etcdserverpb.Compare_EQUAL: order == 0, etcdserverpb.Compare_NOT_EQUAL: order != 0,
			etcdserverpb.Compare_LESS: order < 0, etcdserverpb.Compare_GREATER: order > 0,
		}
		return !results[c.GetResult()]
	})
}
