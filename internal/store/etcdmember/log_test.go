package etcdmember

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"carillon/internal/store"
)

func TestFatalEtcdLogFailsMember(t *testing.T) {
	var text bytes.Buffer
	m := &Member{failed: make(chan struct{}), log: slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: store.LevelTrace}))}
	log := m.logger().With(zap.String("field", "of the log"))
	said := func(want string) {
		t.Helper()
		if got := text.String(); !strings.Contains(got, want) {
			t.Errorf("the log says %q, want %q", got, want)
		}
		text.Reset()
	}
	log.Warn("a warning", zap.Int("n", 7))
	said(`level=DEBUG-4 msg=etcd event="a warning map[field:of the log n:7]"`)
	log.Error("an error")
	said(`level=WARN msg="etcd reported an error" event="an error map[field:of the log]"`)
	m.stopping.Store(true)
	log.Error("an error")
	said(`level=DEBUG-4 msg=etcd`)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		log.Fatal("the end")
		t.Error("a goroutine goes on after what is fatal")
	}()
	<-ended
	said(`level=ERROR msg="etcd failed" event="the end map[field:of the log]"`)
	<-m.failed
	m.fail(errors.New("another reason"))
	if m.err == nil || !strings.Contains(m.err.Error(), "the end") {
		t.Errorf("the member has failed because of %v, want the first reason", m.err)
	}

	quiet := &Member{failed: make(chan struct{}), log: slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelError}))}
	quiet.logger().Error("an error")
	if text.Len() > 0 {
		t.Errorf("a log of errors alone says %q, which is a warning", text.String())
	}
	mute := &Member{failed: make(chan struct{}), log: slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelError + 1}))}
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		mute.logger().Fatal("the end")
	}()
	<-ended
	if mute.err == nil || text.Len() > 0 {
		t.Errorf("a member that logs nothing says %q, and has failed with %v", text.String(), mute.err)
	}
}

func TestEtcdLogLevelsAreLowered(t *testing.T) {
	for of, want := range map[zapcore.Level]slog.Level{
		zapcore.DebugLevel: store.LevelTrace, zapcore.InfoLevel: store.LevelTrace, zapcore.WarnLevel: store.LevelTrace, zapcore.ErrorLevel: slog.LevelWarn,
		zapcore.DPanicLevel: slog.LevelError, zapcore.PanicLevel: slog.LevelError, zapcore.FatalLevel: slog.LevelError,
	} {
		if got := slogLevel(of); got != want {
			t.Errorf("a line of etcd's level %v has the level %v, want %v", of, got, want)
		}
	}
}
