package etcdstore

import "context"

// Looked has etcd write what it holds back for a tenth of a second, and looks at its room then.
func (s *Store) Looked(ctx context.Context) error {
	l, err := s.ask(ctx)
	if err != nil {
		return err
	}
	if err := s.compact(ctx, l.revision); err != nil {
		return err
	}
	_, err = s.look(ctx)
	return err
}
