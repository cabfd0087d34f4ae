package mlflowgateway

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLogLinesArePassedOnInOrderBeforeCloseReturns(t *testing.T) {
	s := newServer(t, func(x *exchange) {
		if x.text() == "fail" {
			x.respond(503, `{"detail": "busy"}`)
		} else {
			echo(x)
		}
	})
	for level, want := range map[LogLevel]string{LogError: "1", LogInfo: "2122", LogDebug: "332122333"} {
		var lines []string
		var levels strings.Builder
		client := newClient(t, s.URL, WithBearerToken("secret"), WithLog(level, func(level LogLevel, line string) {
			lines = append(lines, line)
			levels.WriteByte('0' + byte(level))
		}))
		queue, err := client.NewQueue(QueueOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = client.Complete(background, "a")
		_, _ = client.Complete(background, "fail")
		_, _ = queue.Complete(background, "b")
		_ = client.Health(background)
		_, _ = client.Complete(background, "c")
		queue.Close()
		client.Close()
		all := strings.Join(lines, "\n")
		if strings.Contains(all, "secret") || !strings.Contains(all, "POST "+s.URL) || !strings.Contains(all, "503") {
			t.Error(all)
		}
		if strings.Count(levels.String(), "1") != 1 || strings.Count(levels.String(), "2") != strings.Count(want, "2") ||
			strings.Contains(want, "3") != strings.Contains(levels.String(), "3") {
			t.Errorf("level %s: %s\n%s", level, &levels, all)
		}
	}
}

func TestLevelsAndKindsArePrintedInWords(t *testing.T) {
	got := fmt.Sprint(LogError, LogInfo, LogDebug, LogLevel(9), EventText, EventToolCall, EventOther, EventKind(-1))
	if got != "error info debug LogLevel(9) text tool call other EventKind(-1)" {
		t.Error(got)
	}
}

func TestSlowLogDelaysNoCallAndKeepsEveryLine(t *testing.T) {
	s := newServer(t, echo)
	release := make(chan struct{})
	lines := 0
	client := newClient(t, s.URL, WithLog(LogInfo, func(LogLevel, string) {
		<-release
		lines++
	}))
	const calls = 500
	var group sync.WaitGroup
	for worker := 0; worker < 10; worker++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < calls/10; i++ {
				ctx, cancel := context.WithTimeout(background, 10*time.Second)
				if _, err := client.Complete(ctx, "x"); err != nil {
					t.Error(err)
				}
				cancel()
			}
		}()
	}
	group.Wait()
	close(release)
	client.Close()
	if lines != calls {
		t.Error(lines, "lines of", calls, "calls")
	}
}

// TestALogFunctionMayEndItsGoroutine, as the method FailNow of a test does.
func TestALogFunctionMayEndItsGoroutine(t *testing.T) {
	s := newServer(t, echo)
	before := measure(t)
	lines := 0
	client, err := New("chat", s.URL, WithLog(LogInfo, func(LogLevel, string) {
		if lines++; lines != 2 {
			runtime.Goexit()
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	const calls = 4
	for i := 1; i <= calls; i++ {
		if _, err := client.Complete(background, "x"); err != nil {
			t.Fatal(err)
		}
	}
	client.Close()
	if lines == 0 {
		t.Error("no lines")
	}
	eventually(t, "the log ends", func() bool { return measure(t).goroutines <= before.goroutines+1 })
}
