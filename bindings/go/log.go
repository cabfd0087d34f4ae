package mlflowgateway

// #include "glue.h"
import "C"

import (
	"context"
	"os"
	"strconv"
	"sync"
)

// LogLevel selects the lines that are logged.
type LogLevel int32

const (
	// LogError is a failed attempt to send a request.
	LogError LogLevel = C.MLFLOW_GATEWAY_LOG_ERROR
	// LogInfo is also a successful attempt.
	LogInfo LogLevel = C.MLFLOW_GATEWAY_LOG_INFO
	// LogDebug is also the discovery of the server, lists of routes, health checks and token fetches.
	LogDebug LogLevel = C.MLFLOW_GATEWAY_LOG_DEBUG
)

var logLevelNames = map[LogLevel]string{LogError: "error", LogInfo: "info", LogDebug: "debug"}

// String returns the level in words, such as "error".
func (l LogLevel) String() string {
	if name, ok := logLevelNames[l]; ok {
		return name
	}
	return "LogLevel(" + strconv.Itoa(int(l)) + ")"
}

// WithLog passes log lines up to a level to a function, one for each attempt to send a request. Credentials are masked.
//
// One goroutine of the client calls the function soon after a line was logged, line by line. No call waits for it. The
// function must not close the client. If more than 65,536 lines wait, later ones are lost, and a line reports how many.
func WithLog(level LogLevel, log func(level LogLevel, line string)) Option {
	return func(s *settings) { s.level, s.log = level, log }
}

// logReader is the goroutine that passes log lines on. A nil logReader has no effect.
type logReader struct {
	lines    *C.mlflow_go_log
	wake     *os.File
	isLast   bool // whether there will be no more lines
	mutex    sync.Mutex
	flushing []chan struct{}
}

func startLogReader(log func(LogLevel, string)) (*logReader, error) {
	lines, err := C.mlflow_go_log_create()
	if lines == nil {
		message := "cannot create a descriptor for the log: " + err.Error()
		return nil, &Error{Status: ErrOutOfMemory, Message: message, RetryAfter: -1}
	}
	r := &logReader{lines: lines, wake: os.NewFile(uintptr(C.mlflow_go_log_fd(lines)), "log")}
	go r.run(log)
	return r, nil
}

func (r *logReader) attach(gateway *C.mlflow_gateway, level LogLevel) error {
	var failure *C.mlflow_gateway_error
	status := C.mlflow_go_log_attach(r.lines, gateway, C.int32_t(level), &failure)
	return check(context.Background(), status, failure, nil)
}

// release ends the goroutine when the handle is destroyed, too.
func (r *logReader) release() {
	if r != nil {
		C.mlflow_go_log_release(r.lines)
	}
}

// flush waits until all lines that were logged before have been passed on. It must precede release.
func (r *logReader) flush() {
	if r == nil {
		return
	}
	done := make(chan struct{})
	r.mutex.Lock()
	r.flushing = append(r.flushing, done)
	r.mutex.Unlock()
	C.mlflow_go_log_wake(r.lines)
	<-done
}

func (r *logReader) run(log func(LogLevel, string)) {
	isOver := false
	defer func() {
		if !isOver { // The function of the program has ended this goroutine, as t.FailNow does.
			go r.run(log)
		}
	}()
	for !r.isLast {
		r.passOn(log)
	}
	isOver = true
	r.wake.Close()
	C.mlflow_go_log_destroy(r.lines)
}

// passOn waits for lines, and passes them on.
func (r *logReader) passOn(log func(LogLevel, string)) {
	var counter [8]byte
	if _, err := r.wake.Read(counter[:]); err != nil {
		panic("mlflowgateway: cannot read the descriptor of the log: " + err.Error())
	}
	r.mutex.Lock()
	flushing := r.flushing
	r.flushing = nil
	r.mutex.Unlock()
	var lost C.size_t
	var isClosed C.int
	lines := C.mlflow_go_log_take(r.lines, &lost, &isClosed)
	r.isLast = isClosed != 0
	defer func() {
		C.mlflow_go_log_free_lines(lines)
		for _, done := range flushing {
			close(done)
		}
	}()
	for line := lines; line != nil; line = line.next {
		log(LogLevel(line.level), goString(line.text, line.len))
	}
	if lost > 0 {
		log(LogError, "lost "+strconv.Itoa(int(lost))+" log lines: too many waited")
	}
}
