/* Loads one WebSocket server with one room of many connections, as lines on standard input tell it.
 *
 *   open PORT PATH PROTOCOL COUNT   connect so many more, and wait until each has joined the room
 *   run WINDOW SECONDS              publish, with at most WINDOW messages under way; then wait for the last
 *
 * Each line is answered with one line of JSON. Between the lines the connections are served: pings are
 * answered, whatever comes is read. The end of the input ends the program.
 *
 * The first connection publishes, and every connection gets every message. A message carries its number as
 * #00000042#, which is looked for in every data frame: the envelope around it is the server's affair. The
 * protocols differ in how one joins and how one publishes: plain, cable (actioncable-v1-json) and socketio
 * (Engine.IO 4). One thread, epoll, loopback only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum protocol { PLAIN, CABLE, SOCKETIO };
enum stage { CONNECTING, UPGRADING, JOINING, JOINED };

struct connection {
    int socket;
    enum stage stage;
    uint32_t latest;   /* the number of the last message: what comes out of order is counted */
    size_t kept;       /* bytes of a frame that is not whole yet */
    char *rest;
};

struct flight {
    double sent;
    uint32_t missing;
};

static const int AT_ONCE = 64;            /* connections that are being made */
static const double PATIENCE = 60.0;      /* seconds without any progress */
#define FLIGHTS 256u                      /* more than any window; a power of two */
#define READ_BYTES (1u << 18)

static struct connection *all;
static int count, joined, started;
static enum protocol protocol;
static int port;
static char path[256];
static int events;
static char buffer[READ_BYTES];

static struct flight flights[FLIGHTS];
static uint32_t next_number = 1, oldest = 1;
static uint64_t delivered, disordered;
static double *waits;                     /* of the finished messages: from publishing to the last receiver */
static size_t finished, room_for_waits;

static void stop(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    exit(1);
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double seconds_of_cpu(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
        + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* -- frames ---------------------------------------------------------------- */

static void send_frame(struct connection *to, int opcode, const char *payload, size_t size) {
    static const unsigned char mask[4] = {0x5a, 0x17, 0xc3, 0x88};
    unsigned char frame[1024];
    size_t at = 0;
    if (size > sizeof frame - 8) stop("a frame of %zu bytes is too long", size);
    frame[at++] = (unsigned char)(0x80 | opcode);
    if (size < 126) {
        frame[at++] = (unsigned char)(0x80 | size);
    } else {
        frame[at++] = 0x80 | 126;
        frame[at++] = (unsigned char)(size >> 8);
        frame[at++] = (unsigned char)size;
    }
    memcpy(frame + at, mask, 4);
    at += 4;
    for (size_t i = 0; i < size; i++) frame[at++] = (unsigned char)payload[i] ^ mask[i % 4];
    if (send(to->socket, frame, at, MSG_NOSIGNAL) != (ssize_t)at) stop("cannot send: %s", strerror(errno));
}

static void send_text(struct connection *to, const char *text) { send_frame(to, 1, text, strlen(text)); }

static void has_joined(struct connection *who) {
    if (who->stage != JOINED) {
        who->stage = JOINED;
        joined++;
    }
}

/* Returns the number in a payload, or 0. */
static uint32_t number_in(const char *payload, size_t size) {
    const char *end = payload + size, *at = payload;
    while ((at = memchr(at, '#', (size_t)(end - at))) && at + 10 <= end) {
        if (at[9] == '#') {
            uint32_t number = 0;
            int i = 1;
            while (i < 9 && at[i] >= '0' && at[i] <= '9') number = number * 10 + (uint32_t)(at[i++] - '0');
            if (i == 9) return number;
        }
        at++;
    }
    return 0;
}

static void count_in(struct connection *by, uint32_t number) {
    if (number <= by->latest || number >= next_number || number + FLIGHTS <= next_number) {
        disordered++;
        return;
    }
    struct flight *flight = &flights[number % FLIGHTS];
    by->latest = number;
    delivered++;
    if (flight->missing && --flight->missing == 0) {
        if (finished == room_for_waits) {
            room_for_waits = room_for_waits ? room_for_waits * 2 : 4096;
            waits = realloc(waits, room_for_waits * sizeof *waits);
            if (!waits) stop("no memory");
        }
        waits[finished++] = seconds_now() - flight->sent;
        while (oldest < next_number && flights[oldest % FLIGHTS].missing == 0) oldest++;
    }
}

static int says(const char *payload, size_t size, const char *word) {
    return memmem(payload, size, word, strlen(word)) != NULL;
}

static void take(struct connection *from, int opcode, const char *payload, size_t size) {
    if (opcode == 9) {
        send_frame(from, 10, payload, size);
        return;
    }
    if (opcode == 8) stop("the server closed a connection: %d", size >= 2 ? (unsigned char)payload[0] << 8 | (unsigned char)payload[1] : 0);
    if (opcode != 1 && opcode != 2) return;
    uint32_t number = number_in(payload, size);
    if (number) {
        count_in(from, number);
    } else if (protocol == CABLE && from->stage == JOINING) {
        if (says(payload, size, "\"welcome\""))
            send_text(from, "{\"command\":\"subscribe\",\"identifier\":\"{\\\"channel\\\":\\\"Lobby\\\"}\"}");
        else if (says(payload, size, "\"confirm_subscription\""))
            has_joined(from);
    } else if (protocol == SOCKETIO && size) {
        if (payload[0] == '0') send_text(from, "40");
        else if (payload[0] == '2') send_text(from, "3");
        else if (size > 1 && payload[0] == '4' && payload[1] == '0') has_joined(from);
    }
}

/* Reads what is whole of the bytes, and returns how many those were. */
static size_t read_frames(struct connection *from, char *bytes, size_t size) {
    size_t at = 0;
    if (from->stage == UPGRADING) {
        char *end = memmem(bytes, size, "\r\n\r\n", 4);
        if (!end) return 0;
        if (size < 12 || memcmp(bytes + 9, "101", 3)) stop("no upgrade: %.*s", (int)(end - bytes), bytes);
        at = (size_t)(end - bytes) + 4;
        from->stage = JOINING;
        if (protocol == PLAIN) has_joined(from);
    }
    while (size - at >= 2) {
        const unsigned char *frame = (unsigned char *)bytes + at;
        size_t head = 2, length = frame[1];
        if (length == 127 || (length & 0x80)) stop("a frame that this program does not know");
        if (length == 126) {
            if (size - at < 4) break;
            head = 4;
            length = (size_t)frame[2] << 8 | frame[3];
        }
        if (size - at < head + length) break;
        take(from, frame[0] & 15, (char *)frame + head, length);
        at += head + length;
    }
    return at;
}

static void readable(struct connection *from) {
    size_t kept = from->kept;
    if (kept) memcpy(buffer, from->rest, kept);
    ssize_t got = recv(from->socket, buffer + kept, sizeof buffer - kept, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) stop("a connection was lost: %s", got ? strerror(errno) : "end of file");
    size_t size = kept + (size_t)got, done = read_frames(from, buffer, size);
    from->kept = size - done;
    if (from->kept) {
        from->rest = realloc(from->rest, from->kept);
        if (!from->rest) stop("no memory");
        memcpy(from->rest, buffer + done, from->kept);
    } else if (kept) {
        free(from->rest);
        from->rest = NULL;
    }
}

/* -- connecting -------------------------------------------------------------- */

static void begin_connection(void) {
    int yes = 1, index = started++;
    struct connection *new = &all[index];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = (uint32_t)index};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    new->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (new->socket < 0) stop("no socket: %s", strerror(errno));
    setsockopt(new->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    new->latest = next_number - 1;
    if (connect(new->socket, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)
        stop("cannot connect: %s", strerror(errno));
    epoll_ctl(events, EPOLL_CTL_ADD, new->socket, &event);
}

static void writable(uint32_t index) {
    struct connection *new = &all[index];
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    char request[768];
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(new->socket, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) stop("cannot connect: %s", strerror(error));
    int length = snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nOrigin: http://127.0.0.1:%d\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: bGluZXNpZGUgYmVuY2htYQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
        path, port, port, protocol == CABLE ? "Sec-WebSocket-Protocol: actioncable-v1-json\r\n" : "");
    if (send(new->socket, request, (size_t)length, MSG_NOSIGNAL) != length) stop("cannot ask: %s", strerror(errno));
    new->stage = UPGRADING;
    epoll_ctl(events, EPOLL_CTL_MOD, new->socket, &event);
}

/* -- what is told ------------------------------------------------------------ */

static const uint32_t STANDARD_INPUT = UINT32_MAX;

/* Serves connections until something has happened; tells whether a line waits. */
static int serve(int milliseconds) {
    static struct epoll_event ready[1024];
    int told = 0, found = epoll_wait(events, ready, 1024, milliseconds);
    for (int i = 0; i < found; i++) {
        uint32_t index = ready[i].data.u32;
        if (index == STANDARD_INPUT) told = 1;
        else if (all[index].stage == CONNECTING) writable(index);
        else readable(&all[index]);
    }
    return told;
}

static void open_more(int more) {
    double began = seconds_now(), moved = began;
    int before = joined, seen = joined;
    all = realloc(all, (size_t)(count + more) * sizeof *all);
    if (!all) stop("no memory");
    memset(all + count, 0, (size_t)more * sizeof *all);
    count += more;
    while (joined < count) {
        while (started < count && started - joined < AT_ONCE) begin_connection();
        serve(100);
        if (joined != seen) {
            seen = joined;
            moved = seconds_now();
        } else if (seconds_now() - moved > PATIENCE) {
            stop("only %d of %d connections have joined", joined, count);
        }
    }
    printf("{\"joined\":%d,\"seconds\":%.6f}\n", joined - before, seconds_now() - began);
}

static void publish(void) {
    static const char *const formats[] = {
        [PLAIN] = "{\"room\":\"lobby\",\"body\":\"#%08u# and sixty characters of text, as people write them in a chat\"}",
        [CABLE] = "{\"command\":\"message\",\"identifier\":\"{\\\"channel\\\":\\\"Lobby\\\"}\",\"data\":\"{\\\"action\\\":\\\"speak\\\","
                  "\\\"room\\\":\\\"lobby\\\",\\\"body\\\":\\\"#%08u# and sixty characters of text, as people write them in a chat\\\"}\"}",
        [SOCKETIO] = "42[\"speak\",{\"room\":\"lobby\",\"body\":\"#%08u# and sixty characters of text, as people write them in a chat\"}]",
    };
    char text[512];
    uint32_t number = next_number++;
    int size = snprintf(text, sizeof text, formats[protocol], number);
    flights[number % FLIGHTS] = (struct flight){seconds_now(), (uint32_t)count};
    send_frame(&all[0], 1, text, (size_t)size);
}

static int by_size(const void *one, const void *other) {
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static double quantile(double share) {
    return finished ? waits[(size_t)((double)(finished - 1) * share)] * 1e3 : 0.0;
}

static void run(unsigned window, double seconds) {
    double began = seconds_now(), moved = began, cpu = seconds_of_cpu();
    uint64_t before = delivered, seen = delivered;
    uint32_t first = next_number;
    if (!window || window >= FLIGHTS / 2) stop("a window is 1 to %u", FLIGHTS / 2 - 1);
    finished = 0;
    for (;;) {
        double now = seconds_now();
        if (now - began < seconds || next_number == first) {
            while (next_number - oldest < window) publish();
        } else if (oldest == next_number) {
            break;
        }
        if (delivered != seen) {
            seen = delivered;
            moved = now;
        } else if (now - moved > PATIENCE) {
            stop("message %u has not reached %u connections", oldest, flights[oldest % FLIGHTS].missing);
        }
        serve(20);
    }
    double took = seconds_now() - began;
    qsort(waits, finished, sizeof *waits, by_size);
    printf("{\"messages\":%u,\"deliveries\":%llu,\"disordered\":%llu,\"seconds\":%.6f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"cpu_seconds\":%.6f}\n",
        next_number - first, (unsigned long long)(delivered - before), (unsigned long long)disordered,
        took, quantile(0.5), quantile(0.99), seconds_of_cpu() - cpu);
}

static int obey(void) {
    char line[512], word[16] = "";
    double seconds;
    unsigned window;
    int more;
    if (!fgets(line, sizeof line, stdin)) return 0;
    if (sscanf(line, "open %d %255s %15s %d", &port, path, word, &more) == 4) {
        protocol = !strcmp(word, "cable") ? CABLE : !strcmp(word, "socketio") ? SOCKETIO : PLAIN;
        open_more(more);
    } else if (sscanf(line, "run %u %lf", &window, &seconds) == 2 && count) {
        run(window, seconds);
    } else {
        stop("unknown: %s", line);
    }
    fflush(stdout);
    return 1;
}

int main(void) {
    struct epoll_event input = {.events = EPOLLIN, .data.u32 = STANDARD_INPUT};
    setvbuf(stdin, NULL, _IONBF, 0);
    events = epoll_create1(0);
    epoll_ctl(events, EPOLL_CTL_ADD, STDIN_FILENO, &input);
    for (;;)
        if (serve(-1) && !obey()) return 0;
}
