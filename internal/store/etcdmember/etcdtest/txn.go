package etcdtest

import (
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// txn is the writes of one transaction.
type txn struct {
	keyspace *keyspace
	events   []event
}

func (b *txn) note(kind mvccpb.Event_EventType, kv *mvccpb.KeyValue) {
	b.events = append(b.events, event{b.keyspace.now + 1, &mvccpb.Event{Type: kind, Kv: kv}})
}

func (b *txn) put(p *etcdserverpb.PutRequest) {
	next := b.keyspace.now + 1
	kv := &mvccpb.KeyValue{
		Key: p.GetKey(), Value: p.GetValue(), CreateRevision: next, ModRevision: next, Version: 1, Lease: p.GetLease(),
	}
	if old := b.keyspace.keys[string(kv.Key)]; old != nil {
		kv.CreateRevision, kv.Version = old.CreateRevision, old.Version+1
	}
	b.keyspace.keys[string(kv.Key)] = kv
	b.note(mvccpb.PUT, kv)
}

func (b *txn) remove(from, to []byte) (n int64) {
	for _, kv := range b.keyspace.find(0, from, to) {
		delete(b.keyspace.keys, string(kv.Key))
		b.note(mvccpb.DELETE, &mvccpb.KeyValue{Key: kv.Key, ModRevision: b.keyspace.now + 1})
		n++
	}
	return n
}

// end makes the transaction a revision if it has writes.
func (b *txn) end() {
	if len(b.events) == 0 {
		return
	}
	b.keyspace.now++
	b.keyspace.history = append(b.keyspace.history, b.events...)
	close(b.keyspace.changed)
	b.keyspace.changed = make(chan struct{})
}
