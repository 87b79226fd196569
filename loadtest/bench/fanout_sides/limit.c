/* What the kernel allows: a WebSocket broadcast in C over epoll, with nothing a product needs.
 *
 * limit PORT merge|each — `merge`: what one turn of the loop brought is framed once and written to each socket once;
 * `each`: one write a message and socket. Handshakes are answered without checking anything but the key.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FDS_MAX = 65536, BUFFER = 1 << 20 };
static unsigned char state[FDS_MAX]; /* 0 handshake, 1 viewer, 2 publisher */
static int viewers[FDS_MAX], count;
static char in[BUFFER], out[BUFFER * 2];
static char tail[BUFFER];
static size_t tail_length;

static uint32_t rotate(uint32_t value, int by) { return value << by | value >> (32 - by); }

/* SHA-1 of a short text (RFC 3174), for the handshake alone. */
static void sha1(const unsigned char *text, size_t length, unsigned char digest[20]) {
  uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  unsigned char block[128] = {0};
  size_t total = (length + 9 + 63) / 64 * 64;
  memcpy(block, text, length);
  block[length] = 0x80;
  for (int i = 0; i < 8; i++) block[total - 1 - i] = (unsigned char)((uint64_t)length * 8 >> (8 * i));
  for (size_t at = 0; at < total; at += 64) {
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 16; i++) {
      const unsigned char *p = block + at + i * 4;
      w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
      uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 ? b ^ c ^ d : i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
      uint32_t k = i < 20 ? 0x5A827999 : i < 40 ? 0x6ED9EBA1 : i < 60 ? 0x8F1BBCDC : 0xCA62C1D6;
      uint32_t next = rotate(a, 5) + f + e + k + w[i];
      e = d; d = c; c = rotate(b, 30); b = a; a = next;
    }
    h[0] += a; h[1] += b; h[2] += c; h[3] += d; h[4] += e;
  }
  for (int i = 0; i < 20; i++) digest[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

static void base64(const unsigned char *data, int length, char *text) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (int i = 0; i < length; i += 3) {
    uint32_t three = (uint32_t)data[i] << 16 | (i + 1 < length ? data[i + 1] << 8 : 0) | (i + 2 < length ? data[i + 2] : 0);
    *text++ = letters[three >> 18];
    *text++ = letters[three >> 12 & 63];
    *text++ = i + 1 < length ? letters[three >> 6 & 63] : '=';
    *text++ = i + 2 < length ? letters[three & 63] : '=';
  }
  *text = 0;
}

static void shake_hands(int fd, char *request) {
  char *key = strcasestr(request, "Sec-WebSocket-Key: "), joined[128], accept[32], answer[256];
  unsigned char digest[20];
  if (!key) { close(fd); return; }
  snprintf(joined, sizeof joined, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + 19);
  sha1((unsigned char *)joined, strlen(joined), digest);
  base64(digest, 20, accept);
  int length = snprintf(answer, sizeof answer,
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
  if (write(fd, answer, (size_t)length) != length) { close(fd); return; }
  if (!strncmp(request, "GET /publish", 12)) state[fd] = 2;
  else { state[fd] = 1; viewers[count++] = fd; }
}

static void leave(int fd) {
  for (int i = 0; i < count; i++) if (viewers[i] == fd) { viewers[i] = viewers[--count]; break; }
  state[fd] = 0;
  close(fd);
}

static void to_all(const char *data, size_t length) {
  for (int i = 0; i < count; i++)
    if (send(viewers[i], data, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN) leave(viewers[i]);
}

static size_t frame(char *at, const unsigned char *payload, const unsigned char *mask, size_t length) {
  size_t head = length < 126 ? 2 : 4;
  at[0] = (char)0x82;
  if (head == 2) at[1] = (char)length;
  else { at[1] = 126; at[2] = (char)(length >> 8); at[3] = (char)length; }
  for (size_t i = 0; i < length; i++) at[head + i] = (char)(payload[i] ^ mask[i % 4]);
  return head + length;
}

/* Frames of the publisher, which are masked and shorter than 64 KiB. */
static void publish(int fd, int merge) {
  size_t written = 0;
  for (;;) {
    ssize_t got = recv(fd, tail + tail_length, BUFFER - tail_length, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) { leave(fd); exit(0); }
    if (got < 0) break;
    tail_length += (size_t)got;
    size_t at = 0;
    while (tail_length - at >= 6) {
      const unsigned char *p = (unsigned char *)tail + at;
      size_t length = p[1] & 127, head = 2;
      if (length == 126) { length = (size_t)p[2] << 8 | p[3]; head = 4; }
      if (tail_length - at < head + 4 + length) break;
      if ((p[0] & 15) == 2) written += frame(out + written, p + head + 4, p + head, length);
      if (!merge || written > BUFFER) { to_all(out, written); written = 0; }
      at += head + 4 + length;
    }
    memmove(tail, tail + at, tail_length -= at);
    if (!merge) break;
  }
  if (written) to_all(out, written);
}

int main(int argc, char **argv) {
  int merge = argc > 2 && !strcmp(argv[2], "merge"), one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) return 1;
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int ready = epoll_wait(poll, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (peer < 0 || peer >= FDS_MAX) continue;
        setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        event = (struct epoll_event){.events = EPOLLIN, .data.fd = peer};
        state[peer] = 0;
        epoll_ctl(poll, EPOLL_CTL_ADD, peer, &event);
      } else if (state[fd] == 2) publish(fd, merge);
      else {
        ssize_t got = recv(fd, in, sizeof in - 1, MSG_DONTWAIT);
        if (got <= 0) { if (got == 0 || errno != EAGAIN) leave(fd); continue; }
        in[got] = 0;
        if (state[fd] == 0) shake_hands(fd, in);
      }
    }
  }
}
