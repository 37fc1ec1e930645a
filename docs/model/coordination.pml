/* docs/model/coordination.pml: who may answer for one VIP, as a model for spin.
 *
 * Node 0 is the node under test: its member document, its lease, its heartbeats, its crashes. Nodes
 * 1..GUARDS are its guards, and whoever else may take the VIP. The letters are those of
 * docs/coordination.md; README.md says how rules, inlines and code belong together, why time may be
 * left out as it is here, and what a peer's half-modelled right is good for.
 *
 * Time is an order of sendings. Whatever node 0 sends (heartbeat or CAS) gets the next stamp.
 * gone_g: all stamps up to this one are older than G on node 0's clock; gone_d: than D. Both may stand
 * still for as long as they like. A guard may fence only once gone_g has reached what `stamp` was at t.
 *
 * Messages are sets that only grow: what was sent may arrive now, later, again, or never.
 *
 * A world is a set of -D (see `check`); a wrong variant has one more, WRONG_..., and REACH_... asks whether
 * something happens at all.
 */

#ifndef GUARDS
#define GUARDS 1 /* node 0's peers; its guards in guard mode: all of them, or fewer by S3 */
#endif
#ifndef STAMPS
#define STAMPS 4 /* how often node 0 may send */
#endif
#ifndef BEATS
#define BEATS 0 /* of these, heartbeats at the most */
#endif
#ifndef REVS
#define REVS 4 /* revs of member/0 */
#endif
#ifndef TABLE_REVS
#define TABLE_REVS 1 /* revs of the table's shard; 1: only the lemma is asked */
#endif
#ifndef CRASHES
#define CRASHES 0 /* of node 0 */
#endif
#ifndef RESTARTS
#define RESTARTS 0 /* of peers, all together */
#endif
#ifndef LOST_PEERS
#define LOST_PEERS 0 /* peers that lose their right and are revoked, all together */
#endif
/* GUARDED: begins in guard mode. MODES: S2 and S4 are allowed. SHRINK: S3 with fewer guards.
 * ONLY_S2: the only write of a joined node 0 is S2's. MOVES: T4 is allowed.
 * OLDER_VIEWS: A2 is not kept. */
#ifndef MOVES
#define MOVES 0
#endif

#define CASES 2  /* member CASes of node 0 under way or of unknown outcome */
#define WRITES 2 /* table CASes under way */
#define NONE 255
#define NOBODY (GUARDS + 1) /* owner: none. As a peer that was lost from the beginning */

/* A guard list: two bits for each guard, its listed inc, 0 if it is not listed. */
#define LISTED(list, g) (((list) >> (2 * ((g)-1))) & 3)
#define LISTING(g, i) ((i) << (2 * ((g)-1)))

/* ---- the store: member/0 and its history, the table and its history ---- */
byte rev = 1;
byte d_inc[REVS + 1], d_guards[REVS + 1];
bit d_revoked[REVS + 1];

byte table_rev = 1;
byte t_owner[TABLE_REVS + 1], t_inc[TABLE_REVS + 1], t_epoch[TABLE_REVS + 1];

typedef Write { /* a table CAS under way */
  bit used;
  byte base, owner, inc, epoch;
};
Write writes[WRITES];

/* ---- node 0 ---- */
byte stamp = 1, gone_g, gone_d;
byte known = 1;      /* rev of K; 0: OUT */
byte known_sent = 1; /* stamp of the CAS that made K */
typedef Case { /* a CAS of node 0 on member/0 */
  bit used;
  bit possible; /* in the eyes of the process that sent it */
  bit arrived, won;
  bit leaving; /* it says revoked */
  byte base, inc, guards, sent;
};
Case cases[CASES];
byte beat_rev[STAMPS + 1]; /* the rev in the heartbeat with this stamp; 0: no heartbeat */
byte beat_seq[STAMPS + 1]; /* its seq, which begins anew with each process */
byte life_began;           /* stamps up to this one are an earlier process's */
byte beats_of_life, beats_sent;
byte newest[GUARDS + 1]; /* newest stamp of a heartbeat whose ACK counted, by guard */
byte crashes;

/* ---- peers: as guards of node 0 ---- */
byte p_inc[GUARDS + 2];  /* the inc of the process, and of its document */
bit p_lost[GUARDS + 2];  /* revoked, by the same rules as for node 0 */
byte w_rev[GUARDS + 1];  /* ward: rev of node 0 that this process knows; 0: none */
byte w_t[GUARDS + 1];    /* `stamp` when t was set */
bit w_fenced[GUARDS + 1];
byte restarts, lost;
/* V2's observer: the rev that was shown to it, and `stamp` at that time. */
byte seen_rev, seen_t;

/* ---- messages ---- */
byte acks[(GUARDS + 1) * 4];   /* by guard and its inc: set of stamps */
byte fences[GUARDS + 1];       /* by guard: set of revs */
byte evidence;                 /* V1: the revs of which enough guards have said FENCE */

/* ---- views of the table, floors; by node ---- */
byte view[GUARDS + 1];
byte floor[GUARDS + 1];

hidden byte i, j, n, m, x;

/* ======== A: the right to answer ======== */

/* A3, and whether the moment is over. m: guards; n: those whose newest counted ACK is not older than G. */
inline lease() {
  x = (known != 0);
  if
  :: known == 0 -> skip
  :: known != 0 && d_guards[known] == 0 -> x = (known_sent > gone_d)
  :: known != 0 && d_guards[known] != 0 ->
     m = 0; n = 0;
     for (i : 1 .. GUARDS) {
       if
       :: LISTED(d_guards[known], i) != 0 ->
          m++;
          if
#ifdef WRONG_ACK_COUNTED_TWICE
          :: newest[i] > gone_g -> n = n + 2
#else
          :: newest[i] > gone_g -> n++
#endif
          :: else
          fi
       :: else
       fi
     }
#ifdef WRONG_ONE_ACK_LESS
     x = (known_sent > gone_g || n + 1 >= (m + 1) / 2)
#else
     x = (known_sent > gone_g || n >= (m + 1) / 2)
#endif
  fi;
  for (i : 0 .. CASES - 1) {
    if
    :: known != 0 && cases[i].used && cases[i].possible && cases[i].base == known ->
       x = x && (cases[i].guards == 0 -> cases[i].sent > gone_d : cases[i].sent > gone_g)
    :: else
    fi
  }
#ifdef WRONG_ANSWERS_AFTER_DEADLINE
  x = (known != 0)
#endif
}

#ifdef WRONG_TABLE_INC_UNCHECKED
#define MY_INC(node, inc_now) true
#else
#define MY_INC(node, inc_now) (t_inc[view[node]] == inc_now)
#endif
#define GIVEN(node, inc_now) \
  (view[node] != 0 && t_owner[view[node]] == node && MY_INC(node, inc_now) && \
   t_epoch[view[node]] > floor[node])

/* What must be reachable, each in one world: a model in which nothing happens is safe, too. `check` asks
 * for each of these whether an assertion that it never comes true fails. x: node 0's lease is not over. */
#define ANSWERS_0 (x && known != 0 && GIVEN(0, d_inc[known]))
#if defined(REACH_TAKEN_BY_V2)
#define REACHED (d_revoked[rev] && d_guards[rev] == 0 && GIVEN(1, 1))
#elif defined(REACH_TAKEN_BY_V1)
#define REACHED (d_revoked[rev] && d_guards[rev] != 0 && GIVEN(1, 1))
#elif defined(REACH_TAKEN_BACK)
#define REACHED (t_owner[2] == 1 && floor[0] == 0 && d_inc[rev] == 2 && ANSWERS_0)
#elif defined(REACH_NEXT_LIFE)
#define REACHED (crashes == 1 && !d_revoked[2] && d_inc[2] == 2 && ANSWERS_0)
#elif defined(REACH_LEFT)
#define REACHED (crashes == 1 && d_revoked[2] && gone_g == 0 && ANSWERS_0)
#elif defined(REACH_UNSETTLED)
#define REACHED (cases[0].possible && cases[1].possible && gone_d > 0 && x && known > 1)
#elif defined(REACH_SUSTAINED_BY_ACKS)
#define REACHED (d_guards[known] != 0 && known_sent <= gone_g && ANSWERS_0)
#elif defined(REACH_BOTH_MODES)
#define REACHED (d_guards[2] != 0 && d_guards[3] == 0 && known == 3 && x)
#elif defined(REACH_GUARDED_THEN_REVOKED)
#define REACHED (d_guards[1] == 0 && d_guards[2] != 0 && d_revoked[3])
#elif defined(REACH_SHRUNK_THEN_REVOKED)
#define REACHED (d_guards[2] != d_guards[1] && d_revoked[3])
#elif defined(REACH_NEXT_LIFE_FENCES)
#define REACHED (p_inc[1] == 2 && w_fenced[1] && fences[1] == 2 && d_revoked[2])
#elif defined(REACH_MOVED)
#define REACHED (!d_revoked[rev] && floor[0] != 0 && known != 0 && GIVEN(1, 1))
#elif defined(REACH_MOVED_BACK)
#define REACHED (floor[0] != 0 && floor[1] != 0 && ANSWERS_0)
#elif defined(REACH_RELEASED)
#define REACHED (t_owner[2] == NOBODY && GIVEN(1, 1))
#elif defined(REACH_HEIR_LOST)
#define REACHED (t_owner[2] == 1 && p_lost[1] && floor[0] != 0 && ANSWERS_0)
#elif defined(REACH_PASSED_ON)
#define REACHED (t_owner[2] == 1 && GIVEN(2, 1))
#endif

/* What all this is for. Checked after every step. */
inline safe() {
  lease();
  /* The lemma that T1 rests on: who is revoked, or of an older inc, has no right any more. */
  assert(!x || (!d_revoked[rev] && d_inc[rev] == d_inc[known]));
  n = (x && GIVEN(0, d_inc[known]) -> 1 : 0);
  for (i : 1 .. GUARDS) {
    if
    :: !p_lost[i] && GIVEN(i, p_inc[i]) -> n++
    :: else
    fi
  }
  assert(n <= 1); /* never two nodes with the right to answer */
#ifdef REACHED
  assert(!(REACHED));
#endif
  i = 0; j = 0; n = 0; m = 0; x = 0
}

/* A4 */
inline ack_arrives(g, inc, s) {
  d_step {
    known != 0 && s <= stamp && (acks[4 * g + inc] & (1 << s)) ->
    /* which heartbeat of mine has this seq? x: its stamp */
    x = 0;
    for (i : 1 .. STAMPS) {
      if
      :: i > life_began && beat_rev[i] != 0 && beat_seq[i] == beat_seq[s] -> x = i
      :: else
      fi
    }
#ifndef WRONG_REV_UNCHECKED
    if
    :: beat_rev[s] != known -> x = 0
    :: else
    fi;
#endif
#ifdef WRONG_GUARD_INC_UNCHECKED
    if
    :: LISTED(d_guards[known], g) == 0 -> x = 0
#else
    if
    :: LISTED(d_guards[known], g) != inc -> x = 0
#endif
    :: else
    fi;
#ifdef WRONG_SEQ_UNCHECKED
    if
    :: x != 0 ->
       for (i : 1 .. STAMPS) {
         if
         :: i > life_began && beat_rev[i] == known -> x = i
         :: else
         fi
       }
    :: else
    fi;
#endif
#ifdef WRONG_DEADLINE_FROM_ACK
    if
    :: x != 0 && stamp < STAMPS -> stamp++; x = stamp
    :: else
    fi;
#endif
    if
    :: x > newest[g] -> newest[g] = x
    :: else
    fi;
    safe()
  }
}

/* the first slot that is free */
#define FREE_CASE(c) (!cases[c].used && ((c) == 0 || cases[0].used))

inline forget_case(c) {
  cases[c].used = 0; cases[c].possible = 0; cases[c].arrived = 0; cases[c].won = 0;
  cases[c].leaving = 0; cases[c].base = 0; cases[c].inc = 0; cases[c].guards = 0; cases[c].sent = 0
}

/* A case whose outcome no process waits for, and that cannot be applied any more, is forgotten. */
inline tidy_cases() {
  for (j : 0 .. CASES - 1) {
    if
    :: cases[j].used && !cases[j].possible && (cases[j].arrived || cases[j].base < rev) ->
       forget_case(j)
    :: else
    fi
  }
}

inline drop_everything() {
  known = 0; known_sent = 0;
  for (j : 0 .. CASES - 1) { cases[j].possible = 0 }
  for (j : 1 .. GUARDS) { newest[j] = 0 }
  tidy_cases()
}

/* A write of mine has become K: whatever else is possible was on an older base. */
inline adopt(c) {
  known = cases[c].base + 1;
#ifdef WRONG_DEADLINE_FROM_REPLY
  if
  :: stamp < STAMPS -> stamp++
  :: else
  fi;
  known_sent = stamp;
#else
  known_sent = cases[c].sent;
#endif
  for (j : 0 .. CASES - 1) { cases[j].possible = 0 }
  for (j : 1 .. GUARDS) { newest[j] = 0 }
  tidy_cases()
}

/* A5, A7: the rev after K is seen, by reply, read or watch. x: which of my cases made it. */
inline sees_next() {
  d_step {
    known != 0 && known < rev ->
    x = NONE;
    for (i : 0 .. CASES - 1) {
      if
      :: cases[i].used && cases[i].possible && cases[i].won && cases[i].base == known -> x = i
      :: else
      fi
    }
    if
    :: x != NONE -> i = x; adopt(i)
    :: else -> drop_everything()
    fi;
    safe()
  }
}
/* J2 was won, as the reply or the nonce in a read tells. */
inline joins(c) {
  d_step {
    known == 0 && cases[c].used && cases[c].possible && cases[c].won -> adopt(c); safe()
  }
}
/* A conflict: certainly not written. */
inline conflicts(c) {
  d_step {
    cases[c].used && cases[c].possible && cases[c].arrived && !cases[c].won ->
    forget_case(c); safe()
  }
}
/* The CAS arrives at the store, be it late, be its sender gone. */
inline cas_arrives(c) {
  d_step {
    cases[c].used && !cases[c].arrived ->
    cases[c].arrived = 1;
    if
    :: rev == cases[c].base ->
       rev++;
       d_inc[rev] = cases[c].inc; d_guards[rev] = cases[c].guards;
       d_revoked[rev] = cases[c].leaving;
       cases[c].won = 1
    :: else
    fi;
    tidy_cases();
    safe()
  }
}

/* S1 to S4, and CASing again on the base (A5). list: the guards that it writes. */
inline writes_member(c, list) {
  d_step {
    known != 0 && stamp < STAMPS && known < REVS && FREE_CASE(c) ->
    stamp++;
    cases[c].used = 1; cases[c].possible = 1; cases[c].base = known; cases[c].inc = d_inc[known];
    cases[c].guards = list; cases[c].sent = stamp;
    safe()
  }
}

/* J1 and J2: read, then CAS {inc + 1, guards: []} on what was read. */
inline writes_join(c) {
  d_step {
    known == 0 && stamp < STAMPS && rev < REVS && FREE_CASE(c) &&
    !(cases[0].possible && cases[0].won && cases[0].base + 1 == rev) &&
    !(cases[1].possible && cases[1].won && cases[1].base + 1 == rev) ->
    for (i : 0 .. CASES - 1) { /* the read settles what was on an older base */
      if
      :: cases[i].base < rev -> cases[i].possible = 0
      :: else
      fi
    }
    stamp++;
    cases[c].used = 1; cases[c].possible = 1; cases[c].base = rev;
#ifdef WRONG_INC_REUSED
    cases[c].inc = d_inc[rev];
#else
    cases[c].inc = d_inc[rev] + 1;
#endif
    cases[c].guards = 0; cases[c].sent = stamp;
    tidy_cases();
    safe()
  }
}

/* The process of node 0 dies; J1's lock says that it is gone before the next one begins. */
inline crash() {
  d_step {
    crashes < CRASHES ->
    crashes++;
    drop_everything();
    view[0] = 0; floor[0] = 0; life_began = stamp; beats_of_life = 0;
    safe()
  }
}

/* The process of node 0 ends in order: silent first, then it writes that it is revoked. It does not wait
 * for the reply; the write may arrive in the time of the next process. */
inline leaves(c) {
  d_step {
    crashes < CRASHES && known != 0 && stamp < STAMPS && known < REVS && FREE_CASE(c) ->
    stamp++;
    cases[c].used = 1; cases[c].leaving = 1; cases[c].base = known; cases[c].inc = d_inc[known];
    cases[c].guards = d_guards[known]; cases[c].sent = stamp;
#ifndef WRONG_LEAVES_ANSWERING
    crashes++;
    drop_everything();
    view[0] = 0; floor[0] = 0; life_began = stamp; beats_of_life = 0;
#endif
    safe()
  }
}

/* Wrong ways to gain time, or to keep it. */
inline goes_wrong() {
  d_step {
#ifdef WRONG_READ_RENEWS
    known != 0 && rev == known && stamp < STAMPS -> stamp++; known_sent = stamp;
#endif
#ifdef WRONG_RESUMES
    known != 0 && stamp < STAMPS -> stamp++; known_sent = stamp;
#endif
#ifdef WRONG_LOST_REPLY_IGNORED
    cases[0].possible || cases[1].possible -> cases[0].possible = 0; cases[1].possible = 0;
#endif
#ifdef WRONG_BASE_READ_SETTLES
    known != 0 && rev == known && (cases[0].possible || cases[1].possible) ->
    cases[0].possible = 0; cases[1].possible = 0;
#endif
    safe()
  }
}

/* ======== time ======== */
/* What is over compares as over for ever, so it is put to 0: fewer states, the same behaviour. */
inline time_passes_g() {
  d_step {
    gone_g < stamp ->
    gone_g++;
    for (i : 1 .. GUARDS) {
      newest[i] = (newest[i] > gone_g -> newest[i] : 0);
      w_t[i] = (w_t[i] > gone_g -> w_t[i] : 0)
    }
    safe()
  }
}
/* What is older than D is older than G. */
inline time_passes_d() {
  d_step {
    gone_d < gone_g ->
    gone_d++;
    known_sent = (known_sent > gone_d -> known_sent : 0);
    seen_t = (seen_t > gone_d -> seen_t : 0);
    for (i : 0 .. CASES - 1) { cases[i].sent = (cases[i].sent > gone_d -> cases[i].sent : 0) }
    safe()
  }
}

/* ======== heartbeats, H: being a guard ======== */
inline beats() {
  d_step {
    known != 0 && stamp < STAMPS && beats_sent < BEATS ->
    stamp++; beats_sent++; beats_of_life++;
    beat_rev[stamp] = known; beat_seq[stamp] = beats_of_life;
    safe()
  }
}
/* H1 by a heartbeat */
inline beat_arrives(g, s) {
  d_step {
    s <= stamp && beat_rev[s] != 0 && !p_lost[g] &&
#ifdef WRONG_OLD_REV_ACKED
    true ->
#else
    beat_rev[s] >= w_rev[g] ->
#endif
    if
    :: beat_rev[s] > w_rev[g] -> w_rev[g] = beat_rev[s]; w_fenced[g] = 0
    :: else
    fi;
    if
#ifdef WRONG_FENCED_ACKED
    :: true ->
#else
    :: !w_fenced[g] ->
#endif
       w_t[g] = stamp;
       acks[4 * g + p_inc[g]] = acks[4 * g + p_inc[g]] | (1 << s)
#ifndef WRONG_FENCED_ACKED
    :: else
#endif
    fi;
    safe()
  }
}
/* H1 by the document; a rev that is old already too, as a late watch shows it */
inline document_arrives(g) {
  d_step {
    rev > w_rev[g] && !p_lost[g] ->
    w_rev[g]++; w_fenced[g] = 0;
#ifndef WRONG_TIMER_NOT_STARTED
    w_t[g] = stamp;
#endif
    safe()
  }
}
/* H2, and what V1 makes of it */
inline fence(g) {
  d_step {
    w_rev[g] != 0 && !w_fenced[g] && !p_lost[g] && w_rev[g] <= rev &&
    LISTED(d_guards[w_rev[g]], g) != 0 && p_inc[g] >= LISTED(d_guards[w_rev[g]], g) &&
#ifdef WRONG_GUARD_TOO_EARLY
    true ->
#else
    gone_g >= w_t[g] ->
#endif
    w_fenced[g] = 1;
    fences[g] = fences[g] | (1 << w_rev[g]);
    m = 0; n = 0;
    for (i : 1 .. GUARDS) {
      if
      :: LISTED(d_guards[w_rev[g]], i) != 0 ->
         m++;
         if
#ifdef WRONG_FENCE_COUNTED_TWICE
         :: fences[i] & (1 << w_rev[g]) -> n = n + 2
#else
         :: fences[i] & (1 << w_rev[g]) -> n++
#endif
         :: else
         fi
      :: else
      fi
    }
    if
#ifdef WRONG_ONE_FENCE_ENOUGH
    :: n >= 1 -> evidence = evidence | (1 << w_rev[g])
#else
    :: n >= m - (m + 1) / 2 + 1 -> evidence = evidence | (1 << w_rev[g])
#endif
    :: else
    fi;
    safe()
  }
}
/* A guard's new process: it remembers nothing, and has an inc of its own. */
inline peer_restarts(g) {
  d_step {
    restarts < RESTARTS && !p_lost[g] && p_inc[g] < 2 ->
    restarts++; p_inc[g] = p_inc[g] + 1;
    w_rev[g] = 0; w_t[g] = 0; w_fenced[g] = 0; view[g] = 0; floor[g] = 0;
    safe()
  }
}
/* A peer loses its right and is then revoked: what is proved for node 0 is assumed for it. */
inline peer_lost(g) {
  d_step {
    lost < LOST_PEERS && !p_lost[g] -> lost++; p_lost[g] = 1; safe()
  }
}


/* ======== V: revoking node 0 ======== */
/* V3: the CAS arrives. It is on the rev of the evidence, so it may have been on its way for long. */
inline revoked(is_evidence) {
  d_step {
    rev < REVS && !d_revoked[rev] && (is_evidence) ->
    rev++;
    d_inc[rev] = d_inc[rev - 1]; d_guards[rev] = d_guards[rev - 1]; d_revoked[rev] = 1;
    tidy_cases();
    safe()
  }
}
/* V2: the rev is shown for the first time. */
inline observed() {
  d_step { rev > seen_rev -> seen_rev = rev; seen_t = stamp; safe() }
}
#ifdef WRONG_REVOKER_TOO_EARLY
#define SILENT (d_guards[seen_rev] == 0)
#else
#define SILENT (d_guards[seen_rev] == 0 && gone_d >= seen_t)
#endif
#ifdef WRONG_CAS_ON_NEWER_REV
#define BY_V1 (evidence != 0)
#define BY_V2 (seen_rev != 0 && SILENT)
#else
#define BY_V1 (evidence & (1 << rev))
#define BY_V2 (seen_rev == rev && SILENT)
#endif

/* ======== T: the table ======== */
#define OWNER(w) t_owner[view[w]]
#define OWNER_INC(w) t_inc[view[w]]
#ifdef WRONG_TAKEN_UNREVOKED
#define GONE(n, old) true
#else
#define GONE(n, old) \
  ((n) == 0 -> (d_inc[rev] > (old) || (d_inc[rev] == (old) && d_revoked[rev])) \
            : (p_inc[n] > (old) || p_lost[n]))
#endif
#define INC(n) ((n) == 0 -> d_inc[known] : p_inc[n])
#define ALIVE(n) ((n) == 0 -> known != 0 : !p_lost[n])

/* Node w writes node v as the owner: T1(a) if it owns the VIP itself (T4), T1(b) if nobody does any more. */
inline writes_table(k, w, v) {
  d_step {
    !writes[k].used && (k == 0 || writes[0].used) && view[w] != 0 && view[w] < TABLE_REVS &&
    ALIVE(w) && ((v) == (w) || (v) == NOBODY || (v == 0 -> !d_revoked[rev] : !p_lost[v])) &&
    ((MOVES && OWNER(w) == w && OWNER_INC(w) == INC(w)) || GONE(OWNER(w), OWNER_INC(w))) ->
    writes[k].used = 1; writes[k].base = view[w];
    writes[k].owner = v;
    writes[k].inc = ((v) == w -> INC(w) : (v == 0 -> d_inc[rev] : p_inc[v]));
    writes[k].epoch = t_epoch[view[w]] + 1;
#ifndef WRONG_MOVE_STOPS_AFTER_REPLY
    if
    :: OWNER(w) == w && OWNER_INC(w) == INC(w) && floor[w] < t_epoch[view[w]] ->
       floor[w] = t_epoch[view[w]]
    :: else
    fi;
#endif
    safe()
  }
}
inline table_cas_arrives(k) {
  d_step {
    writes[k].used ->
    if
    :: writes[k].base == table_rev ->
       table_rev++;
       t_owner[table_rev] = writes[k].owner; t_inc[table_rev] = writes[k].inc;
       t_epoch[table_rev] = writes[k].epoch
    :: else
    fi;
    writes[k].used = 0; writes[k].base = 0; writes[k].owner = 0; writes[k].inc = 0;
    writes[k].epoch = 0;
    safe()
  }
}
/* A2 */
inline sees_table(w) {
  d_step {
    view[w] < table_rev && ALIVE(w) ->
    view[w]++;
#ifdef WRONG_FLOOR_ONLY_UNTIL_SEEN
    floor[w] = 0;
#endif
    safe()
  }
}
/* Against A2: harmless as long as floors are never lowered. */
inline sees_older_table(w) { d_step { view[w] > 1 -> view[w]--; safe() } }
inline lowers_floor(w) { d_step { floor[w] != 0 -> floor[w] = 0; safe() } }

/* ======== the world: any rule, any time ======== */
#if GUARDS >= 2
#define SECOND(step) step
#else
#define SECOND(step)
#endif
#if GUARDS >= 3
#define THIRD(step) step
#else
#define THIRD(step)
#endif
#define EACH_PEER(rule) :: rule(1) SECOND(:: rule(2)) THIRD(:: rule(3))
#define BEAT_TO(g, s) \
  :: beat_arrives(g, s) :: ack_arrives(g, 1, s) ACK_OF_NEXT_LIFE(:: ack_arrives(g, 2, s))
#if RESTARTS
#define ACK_OF_NEXT_LIFE(step) step
#else
#define ACK_OF_NEXT_LIFE(step)
#endif
#define BEAT(s) BEAT_TO(1, s) SECOND(BEAT_TO(2, s)) THIRD(BEAT_TO(3, s))
#define ALL_GUARDS \
  (LISTING(1, p_inc[1]) SECOND(| LISTING(2, p_inc[2])) THIRD(| LISTING(3, p_inc[3])))
#define WRITE(w, v) :: writes_table(0, w, v) :: writes_table(1, w, v)

active proctype world() {
  d_step {
    d_inc[1] = 1;
    t_owner[1] = 0; t_inc[1] = 1; t_epoch[1] = 1;
    view[0] = 1;
    for (i : 1 .. GUARDS) {
      p_inc[i] = 1; view[i] = 1;
#ifdef GUARDED
      d_guards[1] = d_guards[1] | LISTING(i, 1);
#endif
    }
    p_lost[NOBODY] = 1;
    i = 0
  }
  do
  :: time_passes_g() :: time_passes_d()
  :: cas_arrives(0) :: cas_arrives(1) :: conflicts(0) :: conflicts(1) :: sees_next()
  :: joins(0) :: joins(1) :: writes_join(0) :: writes_join(1)
#ifndef ONLY_S2
  :: writes_member(0, d_guards[known]) :: writes_member(1, d_guards[known])
#ifdef MODES
  :: writes_member(0, 0) :: writes_member(1, 0)
#endif
#endif
#if defined(MODES) || defined(ONLY_S2)
  :: writes_member(0, ALL_GUARDS) :: writes_member(1, ALL_GUARDS)
#endif
#ifdef SHRINK
  :: writes_member(0, LISTING(1, p_inc[1])) :: writes_member(1, LISTING(1, p_inc[1]))
#endif
#if CRASHES
  :: crash()
#endif
#ifdef LEAVES
  :: leaves(0) :: leaves(1)
#endif
#if BEATS
  :: beats()
  BEAT(2)
#if STAMPS >= 3
  BEAT(3)
#endif
#if STAMPS >= 4
  BEAT(4)
#endif
#if STAMPS >= 5
  BEAT(5)
#endif
#if STAMPS >= 6
  BEAT(6)
#endif
#endif
#if BEATS || defined(GUARDED) || defined(MODES)
  EACH_PEER(document_arrives)
  EACH_PEER(fence)
  :: revoked(BY_V1)
#endif
#if RESTARTS
  EACH_PEER(peer_restarts)
#endif
#if LOST_PEERS
  EACH_PEER(peer_lost)
#endif
#if defined(MODES) || !defined(GUARDED)
  :: observed() :: revoked(BY_V2)
#endif
#if defined(WRONG_READ_RENEWS) || defined(WRONG_RESUMES) || \
    defined(WRONG_LOST_REPLY_IGNORED) || defined(WRONG_BASE_READ_SETTLES)
  :: goes_wrong()
#endif
#if TABLE_REVS > 1
  :: table_cas_arrives(0) :: table_cas_arrives(1)
  :: sees_table(0) :: sees_table(1)
  WRITE(0, 0) WRITE(0, 1) WRITE(1, 0) WRITE(1, 1)
#if GUARDS >= 2
  :: sees_table(2)
  WRITE(0, 2) WRITE(1, 2) WRITE(2, 0) WRITE(2, 1) WRITE(2, 2)
#endif
#ifdef RELEASES
  WRITE(0, NOBODY) WRITE(1, NOBODY)
#endif
#ifdef OLDER_VIEWS
  :: sees_older_table(0)
#endif
#ifdef WRONG_FLOOR_LOWERED
  :: lowers_floor(0)
#endif
#endif
  od
}
