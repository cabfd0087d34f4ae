package mlflowgateway

// #include "glue.h"
import "C"

import (
	"context"
	"encoding/json"
	"runtime"
	"unsafe"
)

// Client is one gateway, its settings and its connections. It may be used by any number of goroutines at once.
type Client struct {
	_     noCopy
	inner *client
}

// client is what a Client owns. It outlives a Client that the program has lost.
type client struct {
	gateway *resource
	headers []string
	log     *logReader
}

// New creates a client. Nothing is sent before the first call. It reads the environment and credential files; no goroutine
// may call os.Setenv or os.Unsetenv meanwhile.
//
// The route is the name of a route, called endpoint since MLflow 2.9 and model by OpenAI's API. If it is "", each
// request names its own. The URI is an http:// or https:// URI, "databricks", "databricks://PROFILE" or "openai". If it
// is "", it comes from MLFLOW_GATEWAY_URI, MLFLOW_DEPLOYMENTS_TARGET or MLFLOW_TRACKING_URI.
func New(route, uri string, options ...Option) (*Client, error) {
	var s settings
	for _, option := range options {
		option(&s)
	}
	if s.err != nil {
		return nil, s.err
	}
	inner := &client{headers: s.headers}
	if s.log != nil {
		log, err := startLogReader(s.log)
		if err != nil {
			return nil, err
		}
		inner.log = log
		s.add(func(gateway *C.mlflow_gateway) error { return log.attach(gateway, s.level) })
	}
	gateway, err := newHandle(route, uri, &s)
	if err != nil {
		inner.log.release()
		return nil, err
	}
	inner.gateway = newResource(unsafe.Pointer(gateway), func(object unsafe.Pointer) {
		C.mlflow_gateway_destroy((*C.mlflow_gateway)(object))
	})
	c := &Client{inner: inner}
	closeWhenUnreachable(c, inner, func(inner *client) { inner.close() })
	return c, nil
}

// newHandle creates a handle of C with the settings.
func newHandle(route, uri string, s *settings) (*C.mlflow_gateway, error) {
	var gateway *C.mlflow_gateway
	var failure *C.mlflow_gateway_error
	cRoute, err := optional("route", route)
	if err != nil {
		return nil, err
	}
	cURI, err := optional("gateway URI", uri)
	if err != nil {
		return nil, err
	}
	if status := C.mlflow_gateway_create(cRoute, cURI, &gateway, &failure); status != C.MLFLOW_GATEWAY_OK {
		return nil, takeError(context.Background(), failure, nil)
	}
	for _, step := range s.steps {
		if err := step(gateway); err != nil {
			C.mlflow_gateway_destroy(gateway)
			return nil, err
		}
	}
	return gateway, nil
}

// optional returns a string for C, NULL for "".
func optional(what, s string) (*C.char, error) {
	if s == "" {
		return nil, nil
	}
	text, err := terminated(what, s)
	return chars(text), err
}

// Close closes the client and its idle connections. Calls that run continue, as do its streams and queues; later calls
// fail with ErrClosed. Close waits until the lines that were logged have been passed on, so the function of WithLog must
// not call it. It returns nil.
func (c *Client) Close() error {
	c.inner.close()
	return nil
}

func (c *client) close() {
	if c.gateway.close() {
		c.log.flush()
		c.log.release()
	}
}

// Complete sends a prompt and returns the text of the first candidate. A chat route receives one user message. A
// response without text is ErrNoText, not "".
func (c *Client) Complete(ctx context.Context, prompt string) (string, error) {
	defer runtime.KeepAlive(c)
	object, err := c.inner.gateway.acquire()
	if err != nil {
		return "", err
	}
	defer c.inner.gateway.release()
	token, err := newCanceller(ctx)
	if err != nil {
		return "", err
	}
	defer token.free()
	leave, err := enterBlocking(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	var sent struct {
		text     *C.char
		size     C.size_t
		response *C.mlflow_gateway_response
		failure  *C.mlflow_gateway_error
	}
	status := C.mlflow_go_complete((*C.mlflow_gateway)(object), token.orNull(), chars(prompt), length(prompt),
		&sent.text, &sent.size, &sent.response, &sent.failure)
	if err := check(ctx, status, sent.failure, c.inner.headers); err != nil {
		return "", err
	}
	defer C.mlflow_gateway_response_destroy(sent.response)
	return goString(sent.text, sent.size), nil
}

// Chat sends a request and returns the whole response. A response with tool calls and without text is not an error.
func (c *Client) Chat(ctx context.Context, request *Request) (*Response, error) {
	var response *C.mlflow_gateway_response
	err := c.call(ctx, request, func(
		gateway *C.mlflow_gateway, request *C.mlflow_gateway_request, failure **C.mlflow_gateway_error,
	) C.mlflow_gateway_status {
		return C.mlflow_gateway_send(gateway, request, &response, failure)
	})
	return newResponse(response, c.inner.headers), err
}

// Raw sends a body to any path below the gateway URI, for example "/gateway/openai/v1/responses", and returns the
// response as it is. An empty method means POST with a body, else GET. See Request.Path; raw streams are opened with
// such a request.
func (c *Client) Raw(ctx context.Context, method, path string, body []byte) (*Response, error) {
	if path == "" {
		return nil, invalid("the path of a raw request is empty")
	}
	return c.Chat(ctx, &Request{Method: method, Path: path, Body: body})
}

// Embed returns the embeddings of the inputs of a request. It sends them in batches (options embed_batch_size and
// embed_concurrency).
func (c *Client) Embed(ctx context.Context, request *Request) (*Embeddings, error) {
	var embeddings *C.mlflow_gateway_embeddings
	err := c.call(ctx, request, func(
		gateway *C.mlflow_gateway, request *C.mlflow_gateway_request, failure **C.mlflow_gateway_error,
	) C.mlflow_gateway_status {
		return C.mlflow_gateway_embed(gateway, request, &embeddings, failure)
	})
	if err != nil {
		return nil, err
	}
	return newEmbeddings(embeddings), nil
}

// Stream sends a request and waits until the response begins. The context also ends the stream. Close the stream.
func (c *Client) Stream(ctx context.Context, request *Request) (*Stream, error) {
	defer runtime.KeepAlive(c)
	object, err := c.inner.gateway.acquire()
	if err != nil {
		return nil, err
	}
	defer c.inner.gateway.release()
	built, err := request.build()
	if err != nil {
		return nil, err
	}
	defer C.mlflow_gateway_request_destroy(built)
	token, err := newTokenFor(ctx)
	if err != nil {
		return nil, err
	}
	leave, err := enterBlocking(ctx)
	if err != nil {
		token.free()
		return nil, err
	}
	defer leave()
	source := &openStream{ctx: ctx, token: token, headers: c.inner.headers}
	var failure *C.mlflow_gateway_error
	if err = token.attach(built); err == nil {
		status := C.mlflow_gateway_stream_open((*C.mlflow_gateway)(object), built, &source.stream, &failure)
		err = check(ctx, status, failure, c.inner.headers)
	}
	if err != nil {
		token.free()
		return nil, err
	}
	return newStream(source), nil
}

// IdentifyingParams returns a JSON object that identifies the configured model: "gateway_uri", "route", and the
// parameters of the client.
func (c *Client) IdentifyingParams() (json.RawMessage, error) {
	defer runtime.KeepAlive(c)
	object, err := c.inner.gateway.acquire()
	if err != nil {
		return nil, err
	}
	defer c.inner.gateway.release()
	var failure *C.mlflow_gateway_error
	var text *C.char
	var size C.size_t
	status := C.mlflow_gateway_identifying_params((*C.mlflow_gateway)(object), &text, &size, &failure)
	return takeJSON(text, size), check(context.Background(), status, failure, nil)
}

// call passes the handle and a request of C with a cancel token of its own to a function that sends it.
func (c *Client) call(ctx context.Context, request *Request, send func(
	*C.mlflow_gateway, *C.mlflow_gateway_request, **C.mlflow_gateway_error,
) C.mlflow_gateway_status) error {
	defer runtime.KeepAlive(c)
	object, err := c.inner.gateway.acquire()
	if err != nil {
		return err
	}
	defer c.inner.gateway.release()
	built, err := request.build()
	if err != nil {
		return err
	}
	defer C.mlflow_gateway_request_destroy(built)
	token, err := newCanceller(ctx)
	if err != nil {
		return err
	}
	defer token.free()
	if err := token.attach(built); err != nil {
		return err
	}
	leave, err := enterBlocking(ctx)
	if err != nil {
		return err
	}
	defer leave()
	var failure *C.mlflow_gateway_error
	return check(ctx, send((*C.mlflow_gateway)(object), built, &failure), failure, c.inner.headers)
}
