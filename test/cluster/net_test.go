//go:build linux

package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// A network is machines that a switch connects, one for each node, and this one.
type network struct {
	t        *testing.T
	machines map[string]machine
}

// A machine is a network namespace.
type machine struct {
	pid      int // of the process that holds it; 0 is here
	ip, card string
}

// nsenter is where that program is.
func nsenter() (string, error) { return exec.LookPath("nsenter") }

// tools reports what is missing for a network.
func tools() error {
	_, err := exec.LookPath("ip")
	if err == nil {
		_, err = nsenter()
	}
	return err
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

const (
	here      = "here" // this machine's name
	bridge    = "br0"
	unusedMAC = "02:00:00:00:00:ff" // of no machine
)

// wired gives each node a machine of its own, until the test ends. It skips the test where that cannot be had.
func wired(c *cluster) {
	c.t.Helper()
	if wires != nil {
		c.t.Skip(wires)
	}
	n := &network{t: c.t, machines: map[string]machine{here: {ip: "10.83.0.1", card: "02:00:00:00:00:01"}}}
	c.net = n
	n.must(ip("link", "add", bridge, "address", n.machines[here].card, "type", "bridge"))
	c.t.Cleanup(func() { n.must(ip("link", "del", bridge)) })
	n.must(ip("addr", "add", n.machines[here].ip+"/24", "dev", bridge))
	n.must(ip("link", "set", bridge, "up"))
	enter, err := nsenter()
	n.must(err)
	for i, node := range c.nodes {
		m := n.add(node.id, 10+i)
		node.host = m.ip
		node.wrap = []string{enter, "-t", fmt.Sprint(m.pid), "-n"}
	}
	for from := range n.machines {
		for to := range n.machines {
			n.link(from, to, true)
		}
	}
}

// add makes a machine.
func (n *network) add(name string, number int) machine {
	n.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+holder)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	input, err := cmd.StdinPipe()
	n.must(err)
	n.must(cmd.Start())
	n.t.Cleanup(func() {
		input.Close()
		_ = cmd.Wait()
	})
	m := machine{
		pid: cmd.Process.Pid, ip: fmt.Sprintf("10.83.0.%d", number), card: fmt.Sprintf("02:00:00:00:00:%02x", number),
	}
	n.machines[name] = m
	wire := "v" + name
	n.must(ip("link", "add", wire, "type", "veth", "peer", "name", "eth0", "address", m.card, "netns", fmt.Sprint(m.pid)))
	n.must(ip("link", "set", wire, "master", bridge, "up"))
	n.must(m.run("link", "set", "lo", "up"))
	n.must(m.run("addr", "add", m.ip+"/24", "dev", "eth0"))
	n.must(m.run("link", "set", "eth0", "up"))
	return m
}

// run runs ip on the machine.
func (m machine) run(args ...string) error {
	if m.pid == 0 {
		return ip(args...)
	}
	args = append([]string{"-t", fmt.Sprint(m.pid), "-n", "ip"}, args...)
	if out, err := exec.Command("nsenter", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("nsenter %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (n *network) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// link connects one machine to another, or drops its packets: they go to an unused MAC address.
func (n *network) link(from, to string, works bool) {
	n.t.Helper()
	if from == to {
		return
	}
	f, card, device := n.machines[from], n.machines[to].card, "eth0"
	if !works {
		card = unusedMAC
	}
	if f.pid == 0 {
		device = bridge
	}
	n.must(f.run("neigh", "replace", n.machines[to].ip, "lladdr", card, "dev", device, "nud", "permanent"))
}

// A way is which of a machine's packets get through.
type way struct{ out, in bool }

// between sets what gets through between a machine and each of the others.
func (n *network) between(name string, others []string, w way) {
	n.t.Helper()
	for _, other := range others {
		n.link(name, other, w.out)
		n.link(other, name, w.in)
	}
}
