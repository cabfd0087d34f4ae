//go:build go1.21

package mlflowgateway

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestLoggerReceivesTheLevelsThatItHasEnabled(t *testing.T) {
	s := newServer(t, echo)
	for level, want := range map[slog.Level]string{slog.LevelDebug: "DEBUG", slog.LevelInfo: "INFO", slog.LevelError: "", slog.LevelError + 1: ""} {
		var output bytes.Buffer
		handler := slog.NewTextHandler(&output, &slog.HandlerOptions{Level: level})
		client := newClient(t, s.URL, WithLogger(slog.New(handler)))
		if _, err := client.Complete(background, "x"); err != nil {
			t.Fatal(err)
		}
		client.Close()
		if want == "" && output.Len() > 0 || !strings.Contains(output.String(), "level="+want) && want != "" {
			t.Errorf("%v: %s", level, &output)
		}
		if level == slog.LevelInfo && strings.Contains(output.String(), "DEBUG") {
			t.Error(output.String())
		}
	}
}
