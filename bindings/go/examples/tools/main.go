// Tools lets a model call a function of this program, in one or more rounds.
//
// Only the final response is written to standard output.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"

	mlflowgateway "mlflow-ai-gateway/bindings/go"
)

// maxRounds limits the cost of a model that never stops calling tools.
const maxRounds = 8

var tool = mlflowgateway.Tool{
	Name:        "get_temperature",
	Description: "Get the current temperature in a city.",
	Parameters: map[string]any{
		"type":       "object",
		"properties": map[string]any{"city": map[string]any{"type": "string"}},
		"required":   []string{"city"},
	},
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("tools: ")
	uri := flag.String("u", "", "gateway `URI`; default: $MLFLOW_GATEWAY_URI")
	route := flag.String("r", "chat", "`route` (endpoint) of a model that supports tools")
	verbose := flag.Bool("v", false, "print each tool call and its result to standard error")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: tools [-u URI] [-r ROUTE] [-v] PROMPT")
	}
	client, err := mlflowgateway.New(*route, *uri)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	text, err := complete(context.Background(), client, flag.Arg(0), *verbose)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(text)
}

// complete sends the prompt. It runs tool calls and sends their results until a response has no tool calls.
func complete(ctx context.Context, client *mlflowgateway.Client, prompt string, verbose bool) (string, error) {
	request := &mlflowgateway.Request{
		Messages: []mlflowgateway.Message{mlflowgateway.UserMessage(prompt)},
		Tools:    []mlflowgateway.Tool{tool},
	}
	for round := 0; round <= maxRounds; round++ {
		response, err := client.Chat(ctx, request)
		if err != nil {
			return "", err
		}
		if len(response.ToolCalls()) == 0 {
			return response.Text(), nil
		}
		request.Messages = append(request.Messages, response.Candidates[0].Message)
		for _, call := range response.ToolCalls() {
			result := run(call)
			if verbose {
				log.Printf("%s(%s): %s", call.Name, call.Arguments, result)
			}
			request.Messages = append(request.Messages, mlflowgateway.ToolMessage(call.ID, result))
		}
	}
	return "", errors.New("the model still calls tools after the last round")
}

// run returns the result of a tool call. An invalid call also gets a result: the model can then correct it.
func run(call mlflowgateway.ToolCall) string {
	var arguments struct{ City *string }
	if call.Name != tool.Name {
		return "There is no such tool."
	}
	// Models may write arguments that are not valid JSON.
	if err := json.Unmarshal([]byte(call.Arguments), &arguments); err != nil || arguments.City == nil {
		return `The arguments must be JSON with a string "city".`
	}
	degrees, isKnown := map[string]float64{"Paris": 18.5, "Oslo": 9, "Cairo": 31}[*arguments.City]
	if !isKnown {
		return "The temperature in this city is not known."
	}
	return fmt.Sprintf("In %s it is %.1f degrees Celsius.", *arguments.City, degrees)
}
