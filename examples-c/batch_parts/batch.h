/* What the parts of batch share. */
#ifndef BATCH_H
#define BATCH_H

/* The name of the program, for its messages. */
extern const char PROGRAM[];

enum exit_code {
    EXIT_OK = 0,
    EXIT_OUTPUT = 1,
    EXIT_USAGE = 2,
    EXIT_INTERNAL = 6,
    EXIT_INCOMPLETE = 7,
    EXIT_SIGNAL = 128 /* plus the number of the signal */
};

#endif
