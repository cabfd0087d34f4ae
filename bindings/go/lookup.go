package mlflowgateway

// #include "mlflow_ai_gateway.h"
import "C"

import (
	"context"
	"encoding/json"
	"runtime"
)

// Route is a route of a gateway.
type Route struct {
	// Name is the name of the route.
	Name string
	// Type is "llm/v1/completions", "llm/v1/chat", "llm/v1/embeddings" or another one. It is "" if not reported.
	Type string
	// Provider is the model provider, or "" if not reported.
	Provider string
	// Model is the name of the model, or "" if not reported.
	Model string
	// URL is where requests for the route are sent, as the gateway reports it.
	URL string
	// JSON is everything that the gateway reports about the route.
	JSON json.RawMessage
}

// Routes lists the routes of the gateway.
func (c *Client) Routes(ctx context.Context) ([]Route, error) {
	var routes *C.mlflow_gateway_routes
	err := c.lookup(ctx, func(
		gateway *C.mlflow_gateway, failure **C.mlflow_gateway_error,
	) C.mlflow_gateway_status {
		return C.mlflow_gateway_list_routes(gateway, &routes, failure)
	})
	return newRoutes(routes), err
}

// Route looks up a route; "" is that of the client.
func (c *Client) Route(ctx context.Context, name string) (*Route, error) {
	cName, err := optional("route", name)
	if err != nil {
		return nil, err
	}
	var routes *C.mlflow_gateway_routes
	err = c.lookup(ctx, func(gateway *C.mlflow_gateway, failure **C.mlflow_gateway_error) C.mlflow_gateway_status {
		return C.mlflow_gateway_get_route(gateway, cName, &routes, failure)
	})
	if err != nil {
		return nil, err
	}
	return &newRoutes(routes)[0], nil
}

// Health checks the health of the gateway. On Databricks it checks whether the endpoint of the client is ready.
func (c *Client) Health(ctx context.Context) error {
	return c.lookup(ctx, func(gateway *C.mlflow_gateway, failure **C.mlflow_gateway_error) C.mlflow_gateway_status {
		return C.mlflow_gateway_health(gateway, failure)
	})
}

// Limits returns the rate limits of a route, as the server's JSON; "" is the route of the client. Databricks supports
// them.
func (c *Client) Limits(ctx context.Context, name string) (json.RawMessage, error) {
	cName, err := optional("route", name)
	if err != nil {
		return nil, err
	}
	return c.lookupJSON(ctx, func(
		gateway *C.mlflow_gateway, text **C.char, size *C.size_t, failure **C.mlflow_gateway_error,
	) C.mlflow_gateway_status {
		return C.mlflow_gateway_get_limits(gateway, cName, text, size, failure)
	})
}

// SetLimits replaces the rate limits of a route by those of a JSON array, and returns the server's JSON.
func (c *Client) SetLimits(ctx context.Context, name string, limits json.RawMessage) (json.RawMessage, error) {
	cName, err := optional("route", name)
	if err != nil {
		return nil, err
	}
	cLimits, err := terminated("JSON", string(limits))
	if err != nil {
		return nil, err
	}
	return c.lookupJSON(ctx, func(
		gateway *C.mlflow_gateway, text **C.char, size *C.size_t, failure **C.mlflow_gateway_error,
	) C.mlflow_gateway_status {
		return C.mlflow_gateway_set_limits(gateway, cName, chars(cLimits), text, size, failure)
	})
}

// CreateRoute creates a route as a JSON object describes it, and returns the server's JSON. Databricks supports it.
func (c *Client) CreateRoute(ctx context.Context, route json.RawMessage) (json.RawMessage, error) {
	cRoute, err := terminated("JSON", string(route))
	if err != nil {
		return nil, err
	}
	return c.lookupJSON(ctx, func(
		gateway *C.mlflow_gateway, text **C.char, size *C.size_t, failure **C.mlflow_gateway_error,
	) C.mlflow_gateway_status {
		return C.mlflow_gateway_create_route(gateway, chars(cRoute), text, size, failure)
	})
}

// DeleteRoute deletes a route. Databricks supports it.
func (c *Client) DeleteRoute(ctx context.Context, name string) error {
	cName, err := terminated("route", name)
	if err != nil {
		return err
	}
	return c.lookup(ctx, func(gateway *C.mlflow_gateway, failure **C.mlflow_gateway_error) C.mlflow_gateway_status {
		return C.mlflow_gateway_delete_route(gateway, chars(cName), failure)
	})
}

// lookup makes a call without a request on a clone of the handle, which has the cancel token of the call.
func (c *Client) lookup(ctx context.Context, call func(
	*C.mlflow_gateway, **C.mlflow_gateway_error,
) C.mlflow_gateway_status) error {
	defer runtime.KeepAlive(c)
	object, err := c.inner.gateway.acquire()
	if err != nil {
		return err
	}
	defer c.inner.gateway.release()
	token, err := newTokenFor(ctx)
	if err != nil {
		return err
	}
	defer token.free()
	leave, err := enterBlocking(ctx)
	if err != nil {
		return err
	}
	defer leave()
	var clone *C.mlflow_gateway
	var failure *C.mlflow_gateway_error
	status := C.mlflow_gateway_clone((*C.mlflow_gateway)(object), &clone, &failure)
	if err := check(ctx, status, failure, nil); err != nil {
		return err
	}
	defer C.mlflow_gateway_destroy(clone)
	status = C.mlflow_gateway_set_cancel_token(clone, token.token, &failure)
	if err := check(ctx, status, failure, nil); err != nil {
		return err
	}
	return check(ctx, call(clone, &failure), failure, c.inner.headers)
}

func (c *Client) lookupJSON(ctx context.Context, call func(
	*C.mlflow_gateway, **C.char, *C.size_t, **C.mlflow_gateway_error,
) C.mlflow_gateway_status) (json.RawMessage, error) {
	var text *C.char
	var size C.size_t
	err := c.lookup(ctx, func(gateway *C.mlflow_gateway, failure **C.mlflow_gateway_error) C.mlflow_gateway_status {
		return call(gateway, &text, &size, failure)
	})
	return takeJSON(text, size), err
}

// takeJSON copies a string that the caller owns, and frees it.
func takeJSON(text *C.char, size C.size_t) json.RawMessage {
	defer C.mlflow_gateway_string_free(text)
	return goBytes(text, size)
}

// newRoutes reads routes of C, and destroys them.
func newRoutes(routes *C.mlflow_gateway_routes) []Route {
	defer C.mlflow_gateway_routes_destroy(routes)
	list := make([]Route, C.mlflow_gateway_routes_count(routes))
	for i := range list {
		index, size := C.size_t(i), C.size_t(0)
		json := C.mlflow_gateway_routes_json(routes, index, &size)
		list[i] = Route{
			Name:     C.GoString(C.mlflow_gateway_routes_name(routes, index)),
			Type:     C.GoString(C.mlflow_gateway_routes_type(routes, index)),
			Provider: C.GoString(C.mlflow_gateway_routes_provider(routes, index)),
			Model:    C.GoString(C.mlflow_gateway_routes_model(routes, index)),
			URL:      C.GoString(C.mlflow_gateway_routes_url(routes, index)),
			JSON:     goBytes(json, size),
		}
	}
	return list
}
