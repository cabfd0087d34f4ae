//go:build cgo && go1.21

package mlflowgateway

import (
	"context"
	"log/slog"
	"time"
)

// WithLogger logs to a logger of log/slog, up to the level that it has enabled when the client is created. See WithLog.
func WithLogger(logger *slog.Logger) Option {
	level := LogLevel(0)
	for candidate := LogError; candidate <= LogDebug; candidate++ {
		if logger.Enabled(context.Background(), candidate.slog()) {
			level = candidate
		}
	}
	return WithLog(level, func(level LogLevel, line string) {
		// A record without a position in the source: that would be this one.
		_ = logger.Handler().Handle(context.Background(), slog.NewRecord(time.Now(), level.slog(), line, 0))
	})
}

func (l LogLevel) slog() slog.Level {
	switch l {
	case LogError:
		return slog.LevelError
	case LogInfo:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}
