// chat_cxx - a chat in C++: each line of standard input is a message, and the response is printed as it arrives.
//
// usage: chat_cxx ROUTE [GATEWAY_URI]
#include <mlflow_ai_gateway.hpp>

#include <csignal>
#include <iostream>
#include <string>

namespace gw = mlflow::gateway;

static mlflow_gateway_cancel_token* interrupted = nullptr;

static void on_interrupt(int)
{
    mlflow_gateway_cancel(interrupted); // async-signal-safe
}

/// Send the conversation, print the response, and append it to the conversation.
static void print_response(const gw::handle& gateway, gw::request& conversation)
{
    gw::stream stream = gateway.open_stream(conversation);
    for (const auto& event : stream)
        if (event.kind() == gw::event_kind::text)
            std::cout << event.text() << std::flush;
    std::cout << '\n';
    conversation.add_response(stream.response());
}

int main(int argc, char** argv)
{
    if (argc != 2 && argc != 3) {
        std::cerr << "usage: chat_cxx ROUTE [GATEWAY_URI]\n";
        return 2;
    }
    try {
        // Without a second argument, argv[2] is null, and MLFLOW_GATEWAY_URI names the gateway.
        gw::handle gateway(argv[1], argv[2]);
        gw::cancel_token token; // Ctrl-C cancels a response
        gateway.set_cancel_token(&token);
        interrupted = token.get();
        std::signal(SIGINT, on_interrupt);

        gw::request conversation;
        for (std::string line; std::getline(std::cin, line);) {
            token.reset();
            gw::request next = conversation.clone();
            next.add_message("user", line);
            try {
                print_response(gateway, next);
                conversation = std::move(next);
            } catch (const gw::error& error) {
                // The conversation continues without this message.
                std::cerr << '\n' << error.what() << '\n';
            }
        }
    } catch (const gw::error& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
