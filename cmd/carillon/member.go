package main

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"carillon/internal/store/etcdmember"
)

const memberUsage = `Usage: carillon member list [flags]
       carillon member replace ID [flags]

Lists the schedulers of a cluster with embedded etcd, or replaces one that has lost its data: the cluster removes the old
member and expects a new one, which you start with an empty data directory. It connects to the scheduler of this machine.

  carillon member list
  carillon member replace dapr-scheduler-server-2
`

// memberConfig are the flags of member.
type memberConfig struct {
	etcd    string
	members listing[etcdmember.MemberStatus]
}

func memberFlags() (*flag.FlagSet, *memberConfig) {
	c := &memberConfig{members: listing[etcdmember.MemberStatus]{
		head: "NAME\tPEERS\tLEADS\tANSWERS",
		row: func(m etcdmember.MemberStatus) string {
			return fmt.Sprintf("%s\t%s\t%v\t%s", m.Name, strings.Join(m.Peers, ","), m.Leader, m.Answer)
		},
		yaml: func(m etcdmember.MemberStatus) string {
			return fmt.Sprintf("- name: %q\n  peers: [%s]\n  leads: %v\n  answer: %q\n", m.Name, quoted(m.Peers), m.Leader, m.Answer)
		},
	}}
	fs := flag.NewFlagSet("member", flag.ContinueOnError)
	fs.StringVar(&c.etcd, "etcd", "http://localhost:2379", "`address` of this machine's etcd: --etcd-client-listen-address and --etcd-client-port of its scheduler")
	c.members.flag(fs)
	return fs, c
}

// member lists the members of the cluster or replaces one.
func member(ctx context.Context, args []string, std stdio) error {
	fs, c := memberFlags()
	var words []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		words, args = append(words, args[0]), args[1:]
	}
	if err := parseFlags(fs, memberUsage, args, std); err != nil {
		return err
	}
	switch {
	case len(words) == 1 && words[0] == "list":
		all, err := etcdmember.Members(ctx, c.etcd)
		if err != nil {
			return err
		}
		return c.members.print(all, std.Out)
	case len(words) == 2 && words[0] == "replace":
		if err := etcdmember.Replace(ctx, c.etcd, words[1]); err != nil {
			return err
		}
		fmt.Fprintf(std.Out, "The cluster expects a new %s: start it with an empty data directory.\n", words[1])
		return nil
	default:
		fmt.Fprint(std.Err, memberUsage)
		return usagef("member: use list or replace ID; see 'carillon member --help'")
	}
}

// quoted returns the elements of a YAML list.
func quoted(words []string) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(all, ", ")
}
