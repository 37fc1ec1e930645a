// The etcd store against a real etcd: everything that a network, an operator or a backup can do to
// it. What every backend promises is in store_contract_io_test.cc.
#include "coord/etcd_store_io.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "coord/etcd_tls_io.h"
#include "tests/coord/etcd_lab.h"
#include "tests/coord/store_client.h"

namespace herald::coord {
namespace {

using testing::HasSubstr;

EtcdStoreOptions options_for(const std::vector<std::string>& urls, Duration timeout = 5s) {
  EtcdStoreOptions options;
  for (const std::string& url : urls) {
    options.access.endpoints.push_back(*parse_http_url(url, 2379));
  }
  options.access.timeout = timeout;
  return options;
}

class Client : public StoreClient {
 public:
  explicit Client(const EtcdStoreOptions& options)
      : StoreClient([&](StoreCallbacks callbacks) {
          return open_etcd_store(options, std::move(callbacks));
        }) {}
  explicit Client(const std::string& url, Duration timeout = 5s)
      : Client(options_for({url}, timeout)) {}
};

class EtcdStore : public testing::Test {
 protected:
  void SetUp() override {
    if (!etcd_installed()) GTEST_SKIP() << "etcd is not installed: run scripts/install test";
    etcd_ = std::make_unique<EtcdServer>();
    proxy_ = std::make_unique<Proxy>(etcd_->port());
  }
  // Returns once `client` is told by its watch: the list before it tells of one write at most.
  // The leader's document has rev 2 then.
  static void begin_watch(Client& direct, Client& client) {
    for (std::uint64_t rev = 0; rev < 2; ++rev) {
      ASSERT_EQ(direct.cas(rev, leader(rev + 1)), CasOutcome::Won);
      ASSERT_TRUE(client.sees(leader_key(), rev + 1));
    }
  }

  std::unique_ptr<EtcdServer> etcd_;
  std::unique_ptr<Proxy> proxy_;
};

TEST_F(EtcdStore, AReplyThatIsLostAfterTheWriteIsUnknown) {
  Client direct(etcd_->url());
  Client client(proxy_->url(), 300ms);
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  proxy_->set(Proxy::Mode::LoseReplies);
  const auto reply = client.cas_reply(1, leader(2));
  EXPECT_EQ(reply.outcome, CasOutcome::Unknown);
  EXPECT_THAT(reply.why, HasSubstr(proxy_->url() + ": no answer in time"));
  EXPECT_TRUE(direct.sees(leader_key(), 2));  // it was written
  proxy_->set(Proxy::Mode::Pass);
  proxy_->cut();
  ASSERT_TRUE(client.comes_back());
  EXPECT_EQ(client.cas(1, leader(2)), CasOutcome::Conflict);
  EXPECT_EQ(client.cas(2, leader(3)), CasOutcome::Won);
}

TEST_F(EtcdStore, AFrozenEtcdIsUnknownForWritesAndAFailureForReads) {
  Client client(proxy_->url(), 200ms);
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  proxy_->set(Proxy::Mode::Freeze);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(client.cas(1, leader(2)), CasOutcome::Unknown);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 190ms);
  EXPECT_THAT(client.read_failure(leader_key()), HasSubstr("no answer in time"));
  EXPECT_TRUE(client.hears("is that etcd running, and reachable from here?"));
  proxy_->set(Proxy::Mode::Pass);
  EXPECT_TRUE(client.comes_back());
}

TEST_F(EtcdStore, AConnectionThatBreaksUnderAWriteIsUnknown) {
  Client direct(etcd_->url());
  Client client(proxy_->url());
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  proxy_->set(Proxy::Mode::LoseReplies);
  const auto id = client.send(CasDocument{Revision(1), leader(2)});
  ASSERT_TRUE(direct.sees(leader_key(), 2));  // it has left
  proxy_->cut();
  const auto reply = client.await<CasReply>(id);
  EXPECT_EQ(reply.outcome, CasOutcome::Unknown);
  EXPECT_THAT(reply.why, HasSubstr("the connection broke"));
}

TEST_F(EtcdStore, AStoppedEtcdIsNotSentAndGoesOnWhenItIsBack) {
  Client client(etcd_->url());
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  ASSERT_TRUE(client.sees(leader_key(), 1));
  etcd_->stop();
  const auto reply = client.cas_reply(1, leader(2));
  EXPECT_EQ(reply.outcome, CasOutcome::NotSent);
  EXPECT_THAT(reply.why, HasSubstr("etcd at " + etcd_->url() + ": no connection: "));
  etcd_->start();
  ASSERT_TRUE(client.comes_back());
  EXPECT_EQ(client.cas(1, leader(2)), CasOutcome::Won);
  EXPECT_TRUE(client.sees(leader_key(), 2));  // the watch too
}

TEST_F(EtcdStore, TheWatchIsResumedWithoutALoss) {
  Client direct(etcd_->url());
  Client client(proxy_->url());
  begin_watch(direct, client);
  std::uint64_t rev = 2;
  for (int round = 0; round < 3; ++round) {
    proxy_->set(Proxy::Mode::Refuse);
    for (int i = 0; i < 5; ++i, ++rev) ASSERT_EQ(direct.cas(rev, leader(rev + 1)), CasOutcome::Won);
    const unsigned shard = static_cast<unsigned>(round);
    ASSERT_EQ(direct.cas(0, table(shard, 1)), CasOutcome::Won);
    proxy_->set(Proxy::Mode::Pass);
    EXPECT_TRUE(client.sees(table_key(shard), 1));
    EXPECT_TRUE(client.sees(leader_key(), rev));
    proxy_->cut();
    ASSERT_EQ(direct.cas(rev, leader(rev + 1)), CasOutcome::Won);
    EXPECT_TRUE(client.sees(leader_key(), ++rev));
  }
  // What comes in one answer is told by its newest revision, and nothing is told twice.
  const auto told = client.told(leader_key());
  EXPECT_EQ(std::set(told.begin(), told.end()).size(), told.size()) << testing::PrintToString(told);
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end())) << testing::PrintToString(told);
}

TEST_F(EtcdStore, WhatWasCompactedMeanwhileIsListed) {
  Client direct(etcd_->url());
  Client client(proxy_->url());
  begin_watch(direct, client);
  proxy_->set(Proxy::Mode::Refuse);
  for (std::uint64_t rev = 2; rev < 6; ++rev) {
    ASSERT_EQ(direct.cas(rev, leader(rev + 1)), CasOutcome::Won);
  }
  etcd_->ctl("compaction 7");  // the sixth write
  proxy_->set(Proxy::Mode::Pass);
  EXPECT_TRUE(client.sees(leader_key(), 6));
  ASSERT_EQ(direct.cas(6, leader(7)), CasOutcome::Won);
  EXPECT_TRUE(client.sees(leader_key(), 7));
}

TEST_F(EtcdStore, AWatchThatIsDeadWithoutAWordIsFound) {
  Client direct(etcd_->url());
  Client client(proxy_->url(), 500ms);
  begin_watch(direct, client);
  proxy_->freeze_old();
  ASSERT_EQ(direct.cas(2, leader(3)), CasOutcome::Won);
  ASSERT_TRUE(client.comes_back());  // a list, as every 10 s, shows that there is more
  EXPECT_TRUE(client.sees(leader_key(), 3));
  EXPECT_TRUE(client.hears("which was written; it is resumed"))
      << testing::PrintToString(client.troubles());
}

TEST_F(EtcdStore, OneOfThreeEndpointsIsEnough) {
  const std::string dead = "http://127.0.0.1:" + std::to_string(free_port());
  Proxy frozen(etcd_->port());
  frozen.set(Proxy::Mode::Freeze);
  for (std::uint64_t seed = 0; seed < 3; ++seed) {  // whichever comes first
    EtcdStoreOptions options = options_for({dead, frozen.url(), etcd_->url()}, 400ms);
    options.access.seed = seed;
    options.prefix = "/herald/" + std::to_string(seed) + "/";
    Client client(options);
    EXPECT_TRUE(client.comes_back());
    EXPECT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
    EXPECT_EQ(client.read(leader_key()), Document(leader(1)));
    EXPECT_TRUE(client.sees(leader_key(), 1)) << testing::PrintToString(client.troubles());
  }
}

TEST_F(EtcdStore, TheNextEndpointServesWhenTheOneInUseFails) {
  for (const auto mode : {Proxy::Mode::Refuse, Proxy::Mode::Freeze}) {
    Proxy a(etcd_->port()), b(etcd_->port());
    EtcdStoreOptions options = options_for({a.url(), b.url()}, 400ms);
    options.prefix = mode == Proxy::Mode::Refuse ? "/herald/r/" : "/herald/f/";
    Client client(options);
    EtcdStoreOptions straight = options_for({etcd_->url()});
    straight.prefix = options.prefix;
    Client direct(straight);
    begin_watch(direct, client);
    for (Proxy* failing : {&a, &b}) {  // whichever each of its connections is at
      failing->set(mode);
      EXPECT_TRUE(client.read(leader_key()));  // the first one already
      EXPECT_TRUE(client.comes_back());
      const std::uint64_t rev = revision_of(*client.read(leader_key())).value;
      EXPECT_EQ(client.cas(rev, leader(rev + 1)), CasOutcome::Won);
      EXPECT_TRUE(client.sees(leader_key(), rev + 1)) << testing::PrintToString(client.troubles());
      failing->set(Proxy::Mode::Pass);
      failing->cut();
    }
  }
}

TEST_F(EtcdStore, AnEndpointMayHaveAName) {
  Client client("http://localhost:" + std::to_string(etcd_->port()));
  EXPECT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  EXPECT_TRUE(client.sees(leader_key(), 1));
}

TEST_F(EtcdStore, AnEtcdThatIsNotThereYetIsWaitedFor) {
  etcd_->stop();
  Client client(etcd_->url(), 300ms);
  EXPECT_TRUE(client.hears("etcd at " + etcd_->url() +
                           ": no connection: Connection refused; is "
                           "that etcd running, and reachable from here?"));
  EXPECT_EQ(client.cas(0, leader(1)), CasOutcome::NotSent);
  EXPECT_THAT(client.read_failure(leader_key()), HasSubstr("Connection refused"));
  etcd_->start();
  ASSERT_TRUE(client.comes_back());
  EXPECT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  EXPECT_TRUE(client.sees(leader_key(), 1));
}

TEST_F(EtcdStore, MoreDocumentsThanAPageHoldsAreAllListed) {
  constexpr unsigned kMembers = 1100;
  Client client(etcd_->url());
  std::vector<std::uint64_t> ids;
  for (unsigned i = 0; i < kMembers; ++i) {
    MemberDocument member;
    member.node = NodeName("n" + std::to_string(i));
    member.rev = Revision(1);
    member.inc = Incarnation(1);
    ids.push_back(client.send(CasDocument{{}, member}));
  }
  for (const auto id : ids) ASSERT_EQ(client.await<CasReply>(id).outcome, CasOutcome::Won);
  std::set<std::string> keys;
  for (const Document& document : client.list()) keys.insert(key_of(document).str());
  EXPECT_EQ(keys.size(), kMembers);
  // A new client is told of all of them before the watch begins.
  Client late(etcd_->url());
  for (const std::string& key : keys) ASSERT_TRUE(late.sees(DocumentKey(key), 1)) << key;
}

TEST_F(EtcdStore, AFullEtcdRefusesForCertainAndIsSaid) {
  const EtcdServer small({}, {"--quota-backend-bytes", "2000000"});
  Client client(small.url());
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  const std::string etcdctl = "ETCDCTL_API=3 etcdctl --endpoints=" + small.url();
  // etcd counts what it has written to its disk, which it does every 100 ms.
  small.ctl("get x; for i in $(seq 100); do head -c 500000 /dev/zero | tr '\\0' x | " + etcdctl +
            " put filler || break; done");
  const auto reply = client.cas_reply(1, leader(2));
  EXPECT_EQ(reply.outcome, CasOutcome::NotSent) << reply.why;
  EXPECT_THAT(reply.why, HasSubstr("etcdctl alarm disarm"));
  EXPECT_EQ(client.read(leader_key()), Document(leader(1)));
  // Where the document is not at the base, nobody knows whose write it was.
  EXPECT_EQ(client.cas(5, leader(6)), CasOutcome::Unknown);
  small.ctl("compaction $(" + etcdctl +
            " get filler -w fields | sed -n 's/^\"Revision\" : //p') && " + etcdctl +
            " defrag && " + etcdctl + " alarm disarm");
  EXPECT_EQ(client.cas(1, leader(2)), CasOutcome::Won);
}

TEST_F(EtcdStore, AFailoverIsNotOneConnectionWide) {
  Client client(proxy_->url());
  std::vector<std::uint64_t> ids;
  for (unsigned i = 0; i < kShards; ++i) ids.push_back(client.send(CasDocument{{}, table(i, 1)}));
  for (const auto id : ids) EXPECT_EQ(client.await<CasReply>(id).outcome, CasOutcome::Won);
  const int accepted = proxy_->accepted();
  EXPECT_GE(accepted, 4);
  for (std::uint64_t rev = 1; rev < 20; ++rev) {
    ASSERT_EQ(client.cas(rev, table(0, rev + 1)), CasOutcome::Won);
  }
  EXPECT_LE(proxy_->accepted(), accepted + 1);  // kept and used again
}

// Three members, each of which is killed and comes back, the leader too: every write has an outcome
// that is true, and the watch tells of all of them in their order.
TEST(EtcdCluster, NoMemberIsNeeded) {
  if (!etcd_installed()) GTEST_SKIP() << "etcd is not installed: run scripts/install test";
  std::vector<EtcdMember> places;
  std::string all;
  for (const char* name : {"a", "b", "c"}) {
    places.push_back({name, free_port(), free_port(), ""});
    all += (all.empty() ? "" : ",") + std::string(name) +
           "=http://127.0.0.1:" + std::to_string(places.back().peer_port);
  }
  std::vector<std::unique_ptr<EtcdServer>> members;
  std::vector<std::string> urls;
  for (EtcdMember& place : places) {
    place.cluster = all;
    members.push_back(std::make_unique<EtcdServer>(place));
    urls.push_back(members.back()->url());
  }
  for (const auto& member : members) ASSERT_TRUE(member->await_ready());

  Client client(options_for(urls, 500ms));
  ASSERT_TRUE(client.comes_back());
  std::uint64_t rev = 0;
  const auto now = [&] {  // read again until it is answered
    while (!testing::Test::HasFailure()) {
      const auto reply = client.reply(client.send(ReadDocument{leader_key()}));
      if (const auto* read = std::get_if<ReadReply>(&reply)) {
        return read->document ? revision_of(*read->document).value : 0;
      }
    }
    return std::uint64_t{0};
  };
  const auto write = [&](int times) {
    bool unsettled = false;  // a write on this rev may still be applied
    for (const std::uint64_t goal = rev + static_cast<std::uint64_t>(times);
         rev < goal && !testing::Test::HasFailure();) {
      const CasReply reply = client.cas_reply(rev, leader(rev + 1));
      const std::uint64_t there = reply.outcome == CasOutcome::Won ? rev + 1 : now();
      EXPECT_TRUE(there == rev || there == rev + 1) << there << " after " << rev;
      if (there != rev && reply.outcome != CasOutcome::Won) {
        EXPECT_TRUE(unsettled || reply.outcome == CasOutcome::Unknown) << reply.why;
      }
      unsettled = there == rev && (unsettled || reply.outcome == CasOutcome::Unknown);
      rev = there;
    }
  };
  write(10);
  for (const auto& member : members) {
    member->stop();
    write(30);
    EXPECT_TRUE(client.sees(leader_key(), rev)) << testing::PrintToString(client.troubles());
    member->launch();
    ASSERT_TRUE(member->await_ready());
  }
  write(10);
  EXPECT_TRUE(client.sees(leader_key(), rev));
  const auto told = client.told(leader_key());
  EXPECT_EQ(std::adjacent_find(told.begin(), told.end(), std::greater_equal<>()), told.end())
      << testing::PrintToString(told);
}

// ---- who else writes

TEST_F(EtcdStore, ADocumentWrittenByHandIsLeftOutAndSaidOnce) {
  etcd_->ctl(R"(put /herald/default/leader '{"rev":7,"holder":"n1","inc":1,"nonce":0}')");
  etcd_->ctl("put /herald/default/table/1 rubbish");
  Client client(etcd_->url());
  ASSERT_EQ(client.cas(0, table(0, 1)), CasOutcome::Won);
  EXPECT_THAT(client.list(), testing::ElementsAre(table(0, 1)));
  EXPECT_THAT(client.list(), testing::ElementsAre(table(0, 1)));
  EXPECT_THAT(client.read_failure(leader_key()), HasSubstr("its rev is 7, but etcd counts 1"));
  EXPECT_EQ(client.cas(7, leader(8)), CasOutcome::Conflict);
  EXPECT_EQ(client.cas(0, leader(1)), CasOutcome::Conflict);
  EXPECT_THAT(client.troubles(), testing::SizeIs(2));
}

TEST_F(EtcdStore, AShardThatIsDeletedStopsEverything) {
  Client client(etcd_->url());
  ASSERT_EQ(client.cas(0, table(1, 1)), CasOutcome::Won);
  ASSERT_TRUE(client.sees(table_key(1), 1));
  etcd_->ctl("del /herald/default/table/1");
  ASSERT_TRUE(client.hears("key '/herald/default/table/1' was deleted by another program"));
  EXPECT_EQ(client.cas(0, table(1, 1)), CasOutcome::NotSent);
  EXPECT_THAT(client.read_failure(leader_key()), HasSubstr("Stop every heraldd"));
}

TEST_F(EtcdStore, AnotherEtcdUnderTheSameUrlStopsEverything) {
  EtcdServer other;
  Client client(proxy_->url());
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  proxy_->aim(other.port());
  EXPECT_EQ(client.cas(1, leader(2)), CasOutcome::Unknown);
  EXPECT_THAT(client.read_failure(leader_key()), HasSubstr("belongs to another cluster"));
  EXPECT_TRUE(client.hears("two etcds would give one address to two nodes"));
}

TEST_F(EtcdStore, AnEtcdThatWentBackInTimeStopsEverything) {
  ASSERT_EQ(Client(etcd_->url()).cas(0, leader(1)), CasOutcome::Won);
  etcd_->stop();
  const std::string data = etcd_->directory() + "/data";
  std::filesystem::copy(data, data + ".copy", std::filesystem::copy_options::recursive);
  etcd_->start();
  Client client(etcd_->url());
  ASSERT_EQ(client.cas(1, leader(2)), CasOutcome::Won);
  etcd_->stop();
  std::filesystem::remove_all(data);
  std::filesystem::rename(data + ".copy", data);
  etcd_->start();
  EXPECT_TRUE(client.comes_to_fail("went back from revision"));
  EXPECT_TRUE(client.hears("it was restored from a backup"));
  EXPECT_EQ(client.cas(1, leader(2)), CasOutcome::NotSent);
}

// ---- TLS

class EtcdTls : public testing::Test {
 protected:
  void SetUp() override {
    if (!etcd_installed()) GTEST_SKIP() << "etcd is not installed: run scripts/install test";
    const std::string script =
        "cd " + directory_.path() +
        " && exec >log 2>&1 && ca() { openssl req -x509 -newkey ec -pkeyopt "
        "ec_paramgen_curve:P-256 "
        "-nodes -days 2 -subj /CN=$1 -keyout $1.key -out $1.crt; } && sign() { openssl req -newkey "
        "ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$1 -keyout $1.key -out $1.csr && "
        "printf \"subjectAltName=$2\\n\" >$1.ext && openssl x509 -req -in $1.csr -CA ca.crt -CAkey "
        "ca.key -CAcreateserial -days 2 -extfile $1.ext -out $1.crt; } && ca ca && ca other && "
        "sign server IP:127.0.0.1 && sign named DNS:etcd.example && sign client DNS:client";
    ASSERT_EQ(std::system(script.c_str()), 0);
  }
  std::string file(const std::string& name) const { return directory_.path() + "/" + name; }
  std::vector<std::string> flags(const std::string& name) const {
    return {"--cert-file",        file(name + ".crt"), "--key-file",  file(name + ".key"),
            "--client-cert-auth", "--trusted-ca-file", file("ca.crt")};
  }
  EtcdStoreOptions options(const EtcdServer& etcd, const TlsFiles& files) const {
    EtcdStoreOptions out = options_for({etcd.url()});
    auto tls = load_tls(files);
    EXPECT_TRUE(tls) << tls.error();
    if (tls) out.access.tls = *tls;
    return out;
  }
  TemporaryDirectory directory_;
};

TEST_F(EtcdTls, BothSidesAreVerified) {
  const EtcdServer etcd(flags("server"));
  const TlsFiles good{file("ca.crt"), file("client.crt"), file("client.key"), ""};
  Client client(options(etcd, good));
  EXPECT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  EXPECT_TRUE(client.sees(leader_key(), 1));

  // Handshakes are dear: connections are kept.
  Proxy proxy(etcd.port());
  EtcdStoreOptions through = options(etcd, good);
  through.access.endpoints = {*parse_http_url(proxy.url("https"), 2379)};
  Client kept(through);
  for (std::uint64_t rev = 1; rev < 30; ++rev) {
    ASSERT_EQ(kept.cas(rev, leader(rev + 1)), CasOutcome::Won);
  }
  EXPECT_LE(proxy.accepted(), 4);

  TlsFiles wrong_ca = good;
  wrong_ca.ca = file("other.crt");
  const std::string unknown = Client(options(etcd, wrong_ca)).read_failure(leader_key());
  EXPECT_THAT(unknown, HasSubstr("unable to get local issuer certificate"));
  EXPECT_THAT(unknown, HasSubstr("--store-ca-file"));
  TlsFiles no_certificate = good;
  no_certificate.cert = no_certificate.key = "";
  EXPECT_THAT(Client(options(etcd, no_certificate)).read_failure(leader_key()),
              HasSubstr("give --store-cert-file"));
}

TEST_F(EtcdTls, TheServersNameIsVerified) {
  const EtcdServer etcd(flags("named"));
  TlsFiles files{file("ca.crt"), file("client.crt"), file("client.key"), ""};
  EXPECT_THAT(Client(options(etcd, files)).read_failure(leader_key()),
              HasSubstr("its certificate is not for '127.0.0.1'"));
  files.server_name = "etcd.example";
  EXPECT_EQ(Client(options(etcd, files)).cas(0, leader(1)), CasOutcome::Won);
}

TEST_F(EtcdTls, TheWrongSchemeIsNamed) {
  const EtcdServer secure(flags("server")), plain;
  EXPECT_THAT(Client(secure.url().replace(0, 5, "http")).read_failure(leader_key()),
              HasSubstr("write https:// in --store"));
  EtcdStoreOptions wrong = options(secure, {file("ca.crt"), "", "", ""});
  wrong.access.endpoints = options_for({plain.url().replace(0, 4, "https")}).access.endpoints;
  EXPECT_THAT(Client(wrong).read_failure(leader_key()), HasSubstr("write http:// in --store"));
}

TEST_F(EtcdTls, FilesThatCannotBeUsedAreNamed) {
  // Nobody is asked for its passphrase.
  const std::string lock = "openssl ec -aes128 -passout pass:secret -in " + file("client.key") +
                           " -out " + file("locked.key") + " 2>/dev/null";
  ASSERT_EQ(std::system(lock.c_str()), 0);
  EXPECT_THAT(load_tls({"", file("client.crt"), file("locked.key"), ""}).error(),
              HasSubstr("without a passphrase"));
  EXPECT_THAT(load_tls({file("none"), "", "", ""}).error(), HasSubstr("store-ca-file: '"));
  EXPECT_THAT(load_tls({"", file("log"), file("ca.key"), ""}).error(),
              HasSubstr("store-cert-file"));
  EXPECT_THAT(load_tls({"", file("ca.crt"), file("other.key"), ""}).error(),
              HasSubstr("store-key-file"));
  EXPECT_THAT(load_tls({"", file("ca.crt"), "", ""}).error(), HasSubstr("belong together"));
}

// ---- users

TEST_F(EtcdStore, UsersAreLetInByTheirPassword) {
  for (const char* command :
       {"user add root:secret", "user add herald:pass", "role add herald",
        "role grant-permission herald readwrite /herald/ --prefix", "user grant-role root root",
        "user grant-role herald herald", "auth enable"}) {
    etcd_->ctl(command);
  }
  EXPECT_THAT(Client(etcd_->url()).read_failure(leader_key()), HasSubstr("give --store-user"));

  EtcdStoreOptions options = options_for({etcd_->url()});
  options.access.user = "herald";
  options.access.password_file = etcd_->directory() + "/password";
  const auto write = [&](const char* password) {
    std::ofstream(options.access.password_file) << password;
    ASSERT_EQ(::chmod(options.access.password_file.c_str(), 0600), 0);
  };
  write("pass\n");
  Client client(options);
  EXPECT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  EXPECT_TRUE(client.sees(leader_key(), 1));

  EtcdStoreOptions elsewhere = options;
  elsewhere.prefix = "/other/";
  const auto refused = Client(elsewhere).cas_reply(0, leader(1));
  EXPECT_EQ(refused.outcome, CasOutcome::NotSent);
  EXPECT_THAT(refused.why, HasSubstr("permission denied"));

  // Tokens are in etcd's memory: after a restart, none is known.
  etcd_->stop();
  etcd_->start();
  ASSERT_TRUE(client.comes_back());
  EXPECT_EQ(client.cas(1, leader(2)), CasOutcome::Won);
  EXPECT_TRUE(client.sees(leader_key(), 2));

  // A new password ends the tokens got by the old one, and is read from the file when needed.
  write("new\n");
  etcd_->ctl("user passwd herald --interactive=false <" + options.access.password_file,
             "--user=root:secret");
  ASSERT_TRUE(client.comes_back());
  EXPECT_EQ(client.cas(2, leader(3)), CasOutcome::Won);
  EXPECT_TRUE(client.sees(leader_key(), 3));

  write("wrong\n");
  const std::string why = Client(options).read_failure(leader_key());
  EXPECT_THAT(why, HasSubstr("user 'herald' (store-user) is not authenticated"));
  EXPECT_THAT(why, HasSubstr(options.access.password_file));
  write("\n");
  EXPECT_THAT(Client(options).read_failure(leader_key()), HasSubstr("is not one line"));
  ASSERT_EQ(::chmod(options.access.password_file.c_str(), 0644), 0);
  EXPECT_THAT(Client(options).read_failure(leader_key()), HasSubstr("is open to every user"));
}

// ---- what is no etcd

TEST(EtcdImpostor, IsAnErrorAndNeverAnOutcome) {
  const auto answer = [](const std::string& status, const std::string& body) {
    return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  };
  const struct {
    std::string answer, says;
  } cases[] = {
      {answer("200 OK", "{}"), "'header' is missing"},
      {answer("200 OK", "<html>"), "it is not JSON"},
      {answer("502 Bad Gateway", "<html>"), "HTTP status 502"},
      {answer("404 Not Found", ""), "HTTP status 404"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 900000000000\r\n\r\n{", "the answer is longer than"},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'), "the answer is longer than"},
      {"SSH-2.0-OpenSSH_9.2p1\r\n", "the answer is not HTTP"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{", "no answer in time"},
  };
  for (const auto& c : cases) {
    const FakeServer server(c.answer);
    Client client("http://127.0.0.1:" + std::to_string(server.port()), 300ms);
    EXPECT_THAT(client.read_failure(leader_key()), HasSubstr(c.says));
    const auto reply = client.cas_reply(0, leader(1));
    EXPECT_EQ(reply.outcome, CasOutcome::Unknown) << c.says << " " << reply.why;
  }
}

}  // namespace
}  // namespace herald::coord
