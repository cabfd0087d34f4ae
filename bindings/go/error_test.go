package mlflowgateway

import (
	"context"
	"errors"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestEveryHTTPStatusIsItsError(t *testing.T) {
	rows := map[string]Status{
		`400 {"detail": "bad"}`:                               ErrBadRequest,
		`401 {"detail": "who"}`:                               ErrUnauthorized,
		`403 {"detail": "no"}`:                                ErrForbidden,
		`404 {"detail": "gone"}`:                              ErrNotFound,
		`418 {"detail": "teapot"}`:                            ErrHTTPError,
		`422 {"detail": "bad"}`:                               ErrBadRequest,
		`429 {"detail": "slow"}`:                              ErrRateLimited,
		`429 {"detail": "Budget limit exceeded. Ask."}`:       ErrBudgetExceeded,
		`400 {"detail": "Guardrail 'x' blocked the request"}`: ErrGuardrailBlocked,
		`500 {"detail": "oops"}`:                              ErrServerError,
		`501 {"detail": "never"}`:                             ErrUnsupported,
		`503 {"detail": "busy"}`:                              ErrServerError,
		`200 <html>`:                                          ErrBadResponse,
		`200 {"choices": []}`:                                 ErrNoCandidates,
	}
	s := newServer(t, func(x *exchange) {
		status, body, _ := strings.Cut(x.text(), " ")
		number, _ := strconv.Atoi(status)
		x.respond(number, body)
	})
	client := newClient(t, s.URL)
	queue, err := client.NewQueue(QueueOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	for response, status := range rows {
		_, direct := client.Complete(background, response)
		_, queued := queue.Complete(background, response)
		for _, err := range []error{direct, queued} {
			var failure *Error
			if !errors.Is(err, status) || !errors.As(err, &failure) || failure.Status != status || failure.cause != nil ||
				strconv.Itoa(failure.HTTPStatus) != response[:3] || failure.Attempts != 1 || string(failure.Body) != response[4:] ||
				failure.RetryAfter >= 0 || !strings.HasPrefix(err.Error(), "POST "+s.URL) {
				t.Errorf("%s: %+v", response, err)
			}
		}
		for other := range map[Status]bool{ErrTimeout: true, ErrCancelled: true} {
			if errors.Is(direct, other) {
				t.Errorf("%v is not %v", direct, other)
			}
		}
	}
}

func TestErrorHasTheDetailsOfTheResponse(t *testing.T) {
	s := newServer(t, func(x *exchange) {
		x.respond(429, `{"error_code": "TOO_MANY", "message": "slow down"}`, "Retry-After", "7", "X-Request-Id", "9")
	})
	client := newClient(t, s.URL, WithOption("max_retries", "2"), WithTimeout(2*time.Second), WithResponseHeaders("x-request-id"))
	_, err := client.Complete(background, "x")
	var failure *Error
	if !errors.As(err, &failure) || failure.GatewayCode != "TOO_MANY" || failure.RetryAfter != 7*time.Second || !failure.Retryable ||
		failure.Header["x-request-id"] != "9" || failure.Timeout() {
		t.Errorf("%+v", failure)
	}
}

func TestTransportFailuresAreTheirErrors(t *testing.T) {
	for _, name := range []string{"MLFLOW_GATEWAY_URI", "MLFLOW_DEPLOYMENTS_TARGET", "MLFLOW_TRACKING_URI"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	s := newServer(t, func(x *exchange) {
		x.isOver = true
		if x.text() == "large" {
			x.respond(200, chatResponse(strings.Repeat("x", 5000)))
		} else {
			x.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
		}
	})
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused.Close()
	refusedURL := "http://" + refused.Addr().String()
	for _, row := range []struct {
		uri, prompt string
		option      Option
		want        Status
	}{
		{"", "", WithTimeout(time.Second), ErrNoGatewayURI},
		{"ftp://x", "", WithTimeout(time.Second), ErrInvalidURI},
		{s.URL, "", WithOption("none", "1"), ErrUnknownOption},
		{s.URL, "", WithOption("timeout_ms", "x"), ErrInvalidOptionValue},
		{s.URL, "", WithParam("messages", "x"), ErrInvalidParam},
		{"http://192.0.2.1", "x", WithBearerToken("x"), ErrInsecureAuth},
		{"http://gateway.invalid", "x", WithTimeout(time.Minute), ErrResolveFailed},
		{refusedURL, "x", WithTimeout(time.Minute), ErrConnectFailed},
		{strings.Replace(s.URL, "http:", "https:", 1), "x", WithTimeout(time.Minute), ErrTLSFailed},
		{s.URL, "x", WithTimeout(time.Minute), ErrConnectionLost},
		{s.URL, "large", WithOption("max_response_bytes", "1024"), ErrResponseTooLarge},
		{"https://gateway.invalid", "x", WithOption("proxy", refusedURL), ErrProxyFailed},
	} {
		client, err := New("chat", row.uri, WithOption("max_retries", "0"), row.option)
		if err == nil {
			_, err = client.Complete(background, row.prompt)
			client.Close()
		}
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.uri, err, row.want)
		}
	}
}

func TestStatusHasAName(t *testing.T) {
	if ErrRateLimited.Error() != "rate limited" || Status(9999).Error() != "unknown" || !strings.HasPrefix(Version(), "0.") {
		t.Error(ErrRateLimited.Error(), Status(9999).Error(), Version())
	}
}

// TestEveryStatusOfTheHeaderIsASentinel also fails for a status that the library has got since.
func TestEveryStatusOfTheHeaderIsASentinel(t *testing.T) {
	header, err := os.ReadFile("mlflow_ai_gateway.h")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("status.go")
	if err != nil {
		t.Fatal(err)
	}
	statuses, _, _ := strings.Cut(string(header), "/* 100 to 119")
	_, statuses, _ = strings.Cut(statuses, "/* Statuses")
	names := regexp.MustCompile(`#define (MLFLOW_GATEWAY_\w+) [1-9]`).FindAllStringSubmatch(statuses, -1)
	if len(names) < 30 {
		t.Fatal("the header has no statuses")
	}
	for _, name := range names {
		if !strings.Contains(string(source), "Status = C."+name[1]+"\n") {
			t.Errorf("no constant for %s", name[1])
		}
	}
}

func TestErrorOfADoneContextMatchesIt(t *testing.T) {
	s := newServer(t, echo)
	client := newClient(t, s.URL)
	cancelled, cancel := context.WithCancel(background)
	cancel()
	_, err := client.Complete(cancelled, "x")
	if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrCancelled) || !strings.HasSuffix(err.Error(), ": context canceled") {
		t.Error(err)
	}
	late, cancel := context.WithTimeout(background, time.Millisecond)
	defer cancel()
	_, err = client.Complete(late, "stall")
	var failure *Error
	var ofNet net.Error
	if !errors.As(err, &ofNet) || !ofNet.Timeout() {
		t.Error(err, "is no net.Error")
	}
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || !errors.As(err, &failure) || !failure.Timeout() {
		t.Error(err)
	}
}
