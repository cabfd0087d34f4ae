package mlflowgateway

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is a gateway whose every byte a test scripts. It has the routes "chat", "completions" and "embeddings".
type server struct {
	URL      string
	listener net.Listener
	script   func(*exchange)

	mutex       sync.Mutex
	posts       []*exchange
	connections map[net.Conn]bool
}

// mostPosts is how many requests are kept.
const mostPosts = 8

// exchange is one request and its connection.
type exchange struct {
	Method, Path string
	Header       map[string]string
	Body         []byte
	conn         net.Conn
	isOver       bool
}

// newServer starts a server that responds to every POST request by the script. It ends with the test.
func newServer(t testing.TB, script func(*exchange)) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{
		URL: "http://" + listener.Addr().String(), listener: listener, script: script,
		connections: map[net.Conn]bool{},
	}
	go s.accept()
	t.Cleanup(s.close)
	return s
}

func (s *server) close() {
	s.listener.Close()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for conn := range s.connections {
		conn.Close()
	}
}

func (s *server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mutex.Lock()
		s.connections[conn] = true
		s.mutex.Unlock()
		go s.serve(conn)
	}
}

func (s *server) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		s.mutex.Lock()
		delete(s.connections, conn)
		s.mutex.Unlock()
	}()
	reader := bufio.NewReader(conn)
	if first, err := reader.Peek(1); err != nil || first[0] == 0x16 { // TLS
		return
	}
	for {
		x := &exchange{conn: conn, Header: map[string]string{}}
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		fmt.Sscan(line, &x.Method, &x.Path)
		for {
			line, err := reader.ReadString('\n')
			if err != nil || line == "\r\n" {
				break
			}
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			x.Header[strings.ToLower(name)] = strings.TrimSpace(value)
		}
		size, _ := strconv.Atoi(x.Header["content-length"])
		x.Body = make([]byte, size)
		if _, err := io.ReadFull(reader, x.Body); err != nil {
			return
		}
		s.respond(x)
		if x.isOver {
			return
		}
	}
}

func (s *server) respond(x *exchange) {
	const routes = "/api/2.0/endpoints/"
	switch {
	case strings.HasPrefix(x.Path, routes) && (x.Method != "GET" || strings.Contains(x.Path[len(routes):], "/")):
		x.respond(404, `{"detail": "Not Found"}`)
	case strings.HasPrefix(x.Path, routes):
		name := strings.TrimPrefix(x.Path, routes)
		if name == "" {
			x.respond(200, `{"endpoints": [`+routeJSON("chat")+","+routeJSON("embeddings")+"]}")
		} else {
			x.respond(200, routeJSON(name))
		}
	case x.Path == "/health":
		x.respond(200, `{"status": "OK"}`)
	default:
		s.mutex.Lock()
		if len(s.posts) == mostPosts {
			s.posts = s.posts[1:]
		}
		s.posts = append(s.posts, x)
		s.mutex.Unlock()
		s.script(x)
	}
}

func routeJSON(name string) string {
	return `{"name": "` + name + `", "endpoint_type": "llm/v1/` + name + `", "model": {"name": "m", "provider": "openai"},` +
		`"endpoint_url": "/endpoints/` + name + `/invocations"}`
}

// lastBody returns the JSON of the last request of a script.
func (s *server) lastBody(t testing.TB) map[string]any {
	t.Helper()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.posts) == 0 {
		t.Fatal("no request was received")
	}
	return s.posts[len(s.posts)-1].json(t)
}

func (x *exchange) json(t testing.TB) map[string]any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(x.Body, &body); err != nil {
		t.Errorf("%s: %v", x.Body, err)
	}
	return body
}

// text returns the last message or the prompt.
func (x *exchange) text() string {
	var body struct {
		Prompt   string
		Messages []struct{ Content any }
	}
	_ = json.Unmarshal(x.Body, &body)
	if len(body.Messages) > 0 {
		return fmt.Sprint(body.Messages[len(body.Messages)-1].Content)
	}
	return body.Prompt
}

// respond sends a response with JSON. More headers are pairs of a name and a value.
func (x *exchange) respond(status int, body string, headers ...string) {
	var response bytes.Buffer
	fmt.Fprintf(&response, "HTTP/1.1 %d S\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", status, len(body))
	for i := 0; i < len(headers); i += 2 {
		fmt.Fprintf(&response, "%s: %s\r\n", headers[i], headers[i+1])
	}
	response.WriteString("\r\n" + body)
	x.write(response.String())
}

func (x *exchange) write(s string) {
	if _, err := io.WriteString(x.conn, s); err != nil {
		x.isOver = true
	}
}

// startStream sends the head of a stream, which ends with the connection.
func (x *exchange) startStream() {
	x.isOver = true
	x.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
}

// send sends one event of a stream.
func (x *exchange) send(data string) {
	x.write("data: " + data + "\n\n")
}

// stall sends nothing more until the peer closes the connection.
func (x *exchange) stall() {
	x.isOver = true
	_, _ = io.Copy(io.Discard, x.conn)
}

func textChunk(text string) string {
	quoted, _ := json.Marshal(text)
	return `{"choices": [{"index": 0, "delta": {"content": ` + string(quoted) + `}}]}`
}

const lastChunk = `{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}`

func chatResponse(text string) string {
	quoted, _ := json.Marshal(text)
	return `{"id": "r1", "model": "m1", "choices": [{"index": 0, "message": {"role": "assistant", "content": ` +
		string(quoted) + `}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}}`
}

// echo responds with the text of the request. "stall" stalls, "stream" in a request streams, and "half" stalls within
// a stream.
func echo(x *exchange) {
	text := x.text()
	switch {
	case text == "stall":
		x.stall()
	case !bytes.Contains(x.Body, []byte(`"stream":true`)):
		x.respond(200, chatResponse("echo: "+text))
	default:
		x.startStream()
		for _, word := range strings.SplitAfter("echo: "+text, " ") {
			x.send(textChunk(word))
		}
		if text == "half" {
			x.stall()
			return
		}
		if text != "cut" {
			x.send(lastChunk)
		}
	}
}

// newClient creates a client without retries of the route "chat". It is closed with the test.
func newClient(t testing.TB, uri string, options ...Option) *Client {
	t.Helper()
	client, err := New("chat", uri, append([]Option{WithOption("max_retries", "0")}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for start := time.Now(); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatal("it never happened: ", what)
		}
	}
}
