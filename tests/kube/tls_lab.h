// tests/kube/tls_lab.h: authorities and certificates made on the spot, and a server on loopback
// that does with each request what the test says.
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/net/server_lab.h"

namespace herald::kube {

struct Pair {
  std::string cert, key;  // PEM
};

struct Wish {
  std::string name = "server";
  std::string alt_names = "IP:127.0.0.1";
  long from_s = -3600, until_s = 3600;  // from now
};

class Authority {
 public:
  explicit Authority(const std::string& name) : name_(name) {
    key_.reset(EVP_EC_gen("P-256"));
    cert_ = make({name, "", -86'400, 86'400}, key_.get(), true);
  }
  const std::string& pem() const { return pem_; }

  Pair sign(const Wish& wish) {
    const Key key(EVP_EC_gen("P-256"));
    const auto cert = make(wish, key.get(), false);
    Pair out{text(cert.get()), ""};
    const Bio bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    out.key = drain(bio.get());
    return out;
  }

 private:
  template <auto Free>
  struct Deleter {
    template <typename T>
    void operator()(T* object) const {
      Free(object);
    }
  };
  using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
  using Cert = std::unique_ptr<X509, Deleter<X509_free>>;
  using Bio = std::unique_ptr<BIO, Deleter<BIO_vfree>>;

  static std::string drain(BIO* bio) {
    std::string out(16'384, '\0');
    const int size = BIO_read(bio, out.data(), static_cast<int>(out.size()));
    out.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return out;
  }
  static std::string text(X509* cert) {
    const Bio bio(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509(bio.get(), cert);
    return drain(bio.get());
  }
  static void extend(X509* cert, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, issuer, cert, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    ASSERT_NE(extension, nullptr) << value;
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
  }
  Cert make(const Wish& wish, EVP_PKEY* key, bool authority) {
    Cert cert(X509_new());
    X509_set_version(cert.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(cert.get()), wish.from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert.get()), wish.until_s);
    X509_set_pubkey(cert.get(), key);
    const auto entry = [](X509_NAME* name, const std::string& value) {
      std::string copy = value;
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                 reinterpret_cast<unsigned char*>(copy.data()), -1, -1, 0);
    };
    entry(X509_get_subject_name(cert.get()), wish.name);
    X509* issuer = authority ? cert.get() : cert_.get();
    X509_set_issuer_name(cert.get(), X509_get_subject_name(issuer));
    if (authority) extend(cert.get(), issuer, NID_basic_constraints, "critical,CA:TRUE");
    if (!wish.alt_names.empty()) {
      extend(cert.get(), issuer, NID_subject_alt_name, wish.alt_names);
    }
    X509_sign(cert.get(), key_.get(), EVP_sha256());
    if (authority) pem_ = text(cert.get());
    return cert;
  }

  std::string name_, pem_;
  Key key_;
  Cert cert_;
  long serial_ = 0;
};

struct Heard {
  int connection = 0, request = 0;  // counted from 1; requests by connection
  std::string head, body;
  bool says(const std::string& part) const { return head.find(part) != std::string::npos; }
};

struct Reply {
  enum class Then { Keep, Close };
  std::string bytes;
  Then then = Then::Keep;
  bool trickle = false;  // octet by octet
  std::string endless;   // again and again after that
  static Reply json(const std::string& body, const std::string& status = "200 OK",
                    const std::string& fields = "") {
    return {"HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\n" + fields +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body,
            Then::Keep, false, ""};
  }
  static Reply nothing() { return {}; }
  static Reply hang_up(const std::string& bytes = "") { return {bytes, Then::Close, false, ""}; }
  static std::string chunk(const std::string& data) {
    char size[20];
    std::snprintf(size, sizeof size, "%zx", data.size());
    return std::string(size) + "\r\n" + data + "\r\n";
  }
  static Reply lines(const std::string& data, bool ends = false) {
    return {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
                (data.empty() ? "" : chunk(data)) + (ends ? "0\r\n\r\n" : ""),
            Then::Keep, false, ""};
  }
};

struct ServerTls {
  Pair pair;
  int most = TLS1_3_VERSION;
  std::string client_ca;  // PEM; empty: no client certificate is wanted
};

class Server {
 public:
  using Script = std::function<Reply(const Heard&)>;

  // Without `tls` it is plain.
  explicit Server(Script script, std::optional<ServerTls> tls = std::nullopt)
      : script_(std::move(script)) {
    ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
    if (tls) {
      context_ = SSL_CTX_new(TLS_server_method());
      SSL_CTX_set_max_proto_version(context_, tls->most);
      const auto bio = [](const std::string& pem) {
        return BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
      };
      BIO* cert = bio(tls->pair.cert);
      X509* x509 = PEM_read_bio_X509(cert, nullptr, nullptr, nullptr);
      SSL_CTX_use_certificate(context_, x509);
      X509_free(x509);
      BIO_free(cert);
      BIO* key = bio(tls->pair.key);
      EVP_PKEY* pkey = PEM_read_bio_PrivateKey(key, nullptr, nullptr, nullptr);
      SSL_CTX_use_PrivateKey(context_, pkey);
      EVP_PKEY_free(pkey);
      BIO_free(key);
      if (!tls->client_ca.empty()) {
        BIO* ca = bio(tls->client_ca);
        X509* authority = PEM_read_bio_X509(ca, nullptr, nullptr, nullptr);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), authority);
        X509_free(authority);
        BIO_free(ca);
        SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
      }
    }
    listener_ = listen_on(port_);
    thread_ = std::thread([this] { accept(); });
  }
  ~Server() {
    ending_ = true;
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : fds_) ::shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& client : clients_) client.join();
    SSL_CTX_free(context_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const { return port_; }
  HttpUrl url() const { return {context_ != nullptr, "127.0.0.1", port_}; }
  int connections() const { return connections_; }
  std::vector<Heard> heard() const {
    const std::lock_guard lock(mutex_);
    return heard_;
  }

 private:
  struct Wire {
    int fd;
    SSL* ssl;
    int read(char* to, int size) const {
      return ssl != nullptr ? SSL_read(ssl, to, size)
                            : static_cast<int>(::recv(fd, to, static_cast<std::size_t>(size), 0));
    }
    bool write(std::string_view bytes) const {
      while (!bytes.empty()) {
        const int n = ssl != nullptr
                          ? SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size()))
                          : static_cast<int>(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL));
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
      }
      return true;
    }
  };

  void accept() {
    while (!ending_) {
      const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      const int number = ++connections_;
      const std::lock_guard lock(mutex_);
      fds_.push_back(fd);
      clients_.emplace_back([this, fd, number] { serve(fd, number); });
    }
  }
  void serve(int fd, int number) {
    SSL* ssl = nullptr;
    if (context_ != nullptr) {
      ssl = SSL_new(context_);
      SSL_set_fd(ssl, fd);
    }
    if (ssl == nullptr || SSL_accept(ssl) == 1) talk({fd, ssl}, number);
    if (ssl != nullptr) SSL_free(ssl);
    const std::lock_guard lock(mutex_);
    std::erase(fds_, fd);
    ::close(fd);
  }
  void talk(const Wire& wire, int number) {
    std::string in;
    std::array<char, 16'384> part{};
    for (int request = 1;; ++request) {
      std::size_t head = 0, length = 0;
      while (true) {
        head = in.find("\r\n\r\n");
        if (head != std::string::npos) {
          const auto field = in.find("Content-Length: ");
          length = field < head ? std::stoul(in.substr(field + 16)) : 0;
          if (in.size() >= head + 4 + length) break;
        }
        const int n = wire.read(part.data(), static_cast<int>(part.size()));
        if (n <= 0) return;
        in.append(part.data(), static_cast<std::size_t>(n));
      }
      const Heard heard{number, request, in.substr(0, head + 2), in.substr(head + 4, length)};
      in.erase(0, head + 4 + length);
      Reply reply;
      {
        const std::lock_guard lock(mutex_);
        heard_.push_back(heard);
        reply = script_(heard);
      }
      if (!reply.trickle) {
        if (!wire.write(reply.bytes)) return;
      }
      for (std::size_t i = 0; reply.trickle && i < reply.bytes.size(); ++i) {
        if (!wire.write(reply.bytes.substr(i, 1))) return;
        pollfd hung_up{wire.fd, 0, 0};
        if (::poll(&hung_up, 1, 5) != 0 || ending_) return;
      }
      while (!reply.endless.empty()) {
        if (!wire.write(reply.endless)) return;
      }
      if (reply.then == Reply::Then::Close) return;
    }
  }

  const Script script_;
  SSL_CTX* context_ = nullptr;
  std::uint16_t port_ = 0;
  UniqueFd listener_;
  std::atomic<bool> ending_ = false;
  std::atomic<int> connections_ = 0;
  mutable std::mutex mutex_;
  std::vector<Heard> heard_;
  std::vector<int> fds_;
  std::vector<std::thread> clients_;
  std::thread thread_;
};

}  // namespace herald::kube
