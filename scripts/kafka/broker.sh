#!/usr/bin/env bash
# Real Apache Kafka (KRaft) from Maven Central's jars, without Docker.
#
#   broker.sh start 1|3 [PORT] [--sasl] [--tls]   brokers on PORT, PORT+1, …  (default 19092)
#   broker.sh stop [PORT]                         and forget its data
#   broker.sh kill N [PORT]                       SIGKILL broker N (1, 2, 3)
#   broker.sh restart N [PORT]                    start broker N again on its data
#   broker.sh status [PORT]                       exit 0 when all brokers run
#   broker.sh jars                                only fetch the jars
#
# Several clusters run side by side, one folder per PORT under $ASSAY_KAFKA_HOME
# (default ${TMPDIR:-/tmp}/assay-kafka). PORT+100 and PORT+200 on are used by the brokers among themselves.
# --sasl: users alice (SCRAM-SHA-256 and -512) and admin (PLAIN), password <name>-secret.
# --tls:  certificates for localhost and 127.0.0.1; the CA is run/PORT/tls/ca.pem.
# Processes are ended by their own pid only.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${ASSAY_KAFKA_HOME:-${TMPDIR:-/tmp}/assay-kafka}
mkdir -p "$home/run"

fail() { echo "broker.sh: $*" >&2; exit 1; }

command=${1:-}; shift || true
sasl=no tls=no positional=()
for argument in "$@"; do
  case $argument in
    --sasl) sasl=yes ;;
    --tls) tls=yes ;;
    --*) fail "unknown option $argument" ;;
    *) positional+=("$argument") ;;
  esac
done
set -- "${positional[@]+"${positional[@]}"}"

ensure_jars() {
  command -v java >/dev/null || fail "java is missing: install a JRE 17 or later"
  [ -f "$home/libs/.complete" ] && return
  command -v mvn >/dev/null || fail "mvn is missing: install Maven, or put Kafka's jars into $home/libs"
  # Two test runs may come here at once.
  exec 9>"$home/libs.lock"; flock 9
  if [ ! -f "$home/libs/.complete" ]; then
    mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$home/libs" -DincludeScope=runtime >&2
    touch "$home/libs/.complete"
  fi
  exec 9>&-
}

# java_in DIR CLASS ARGS…
java_in() {
  local directory=$1; shift
  java -Xmx384m -Xms128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 ${KAFKA_JAVA_OPTS:-} \
    -Dlog4j2.configurationFile="$directory/log4j2.properties" -cp "$home/libs/*" "$@"
}

make_certificates() {
  local d=$1/tls; mkdir -p "$d"
  keytool -genkeypair -alias ca -keyalg RSA -dname CN=assay-test-ca -ext bc:c -validity 3650 -storetype PKCS12 -keystore "$d/ca.p12" -storepass changeit >/dev/null 2>&1
  keytool -exportcert -rfc -alias ca -keystore "$d/ca.p12" -storepass changeit >"$d/ca.pem" 2>/dev/null
  keytool -genkeypair -alias broker -keyalg RSA -dname CN=localhost -validity 3650 -storetype PKCS12 -keystore "$d/broker.p12" -storepass changeit >/dev/null 2>&1
  keytool -certreq -alias broker -keystore "$d/broker.p12" -storepass changeit 2>/dev/null |
    keytool -gencert -rfc -alias ca -keystore "$d/ca.p12" -storepass changeit -ext san=dns:localhost,ip:127.0.0.1 -validity 3650 >"$d/broker.pem" 2>/dev/null
  keytool -importcert -noprompt -alias ca -file "$d/ca.pem" -keystore "$d/broker.p12" -storepass changeit >/dev/null 2>&1
  keytool -importcert -noprompt -alias broker -file "$d/broker.pem" -keystore "$d/broker.p12" -storepass changeit >/dev/null 2>&1
}

# One listener for clients; brokers and controllers talk in plain text on loopback.
security_properties() {
  local protocol=PLAINTEXT
  [ $tls = yes ] && protocol=SSL
  [ $sasl = yes ] && protocol=SASL_PLAINTEXT
  [ $sasl$tls = yesyes ] && protocol=SASL_SSL
  echo "listener.security.protocol.map=CLIENT:$protocol,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT"
  if [ $tls = yes ]; then
    printf '%s\n' "listener.name.client.ssl.keystore.location=$1/tls/broker.p12" \
      listener.name.client.ssl.keystore.password=changeit listener.name.client.ssl.key.password=changeit listener.name.client.ssl.keystore.type=PKCS12
  fi
  if [ $sasl = yes ]; then
    printf '%s\n' listener.name.client.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512 \
      'listener.name.client.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_admin="admin-secret";' \
      'listener.name.client.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;' \
      'listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;'
  fi
}

write_properties() {
  local run=$1 i=$2 count=$3 port=$4 rf=1 isr=1 voters=
  [ "$count" -ge 3 ] && rf=3 isr=2
  for n in $(seq "$count"); do voters+="$n@127.0.0.1:$((port + 100 + n)),"; done
  mkdir -p "$run/$i"
  {
    printf '%s\n' process.roles=broker,controller node.id="$i" controller.quorum.voters="${voters%,}" \
      listeners="CLIENT://127.0.0.1:$((port + i - 1)),INTERNAL://127.0.0.1:$((port + 200 + i)),CONTROLLER://127.0.0.1:$((port + 100 + i))" \
      advertised.listeners="CLIENT://127.0.0.1:$((port + i - 1)),INTERNAL://127.0.0.1:$((port + 200 + i))" \
      controller.listener.names=CONTROLLER inter.broker.listener.name=INTERNAL \
      log.dirs="$run/$i/data" auto.create.topics.enable=false delete.topic.enable=true \
      {offsets.topic,transaction.state.log,share.coordinator.state.topic}.replication.factor=$rf \
      {transaction.state.log,share.coordinator.state.topic}.min.isr=$isr default.replication.factor=$rf min.insync.replicas=$isr \
      num.partitions=6 offsets.topic.num.partitions=6 transaction.state.log.num.partitions=3 group.initial.rebalance.delay.ms=0 \
      group.min.session.timeout.ms=1000 log.cleaner.dedupe.buffer.size=16777216 broker.session.timeout.ms=3000 \
      broker.heartbeat.interval.ms=500 controller.quorum.election.timeout.ms=500 controller.quorum.fetch.timeout.ms=1000
    security_properties "$run"
  } >"$run/$i/server.properties"
}

launch() { # RUN N
  : >"$1/$2/broker.log"
  # No inherited descriptor or terminal keeps the caller waiting.
  (cd "$1/$2" && exec setsid nohup java -Xmx384m -Xms128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 ${KAFKA_JAVA_OPTS:-} \
    -Dlog4j2.configurationFile="$1/log4j2.properties" -cp "$home/libs/*" kafka.Kafka "$1/$2/server.properties" \
    >"$1/$2/broker.log" 2>&1 </dev/null) &
  echo $! >"$1/$2/pid"
}

await() { # RUN N
  for _ in $(seq 600); do
    grep -q 'Kafka Server started' "$1/$2/broker.log" && return
    kill -0 "$(cat "$1/$2/pid")" 2>/dev/null || { tail -20 "$1/$2/broker.log" >&2; fail "broker $2 ended while starting"; }
    sleep .1
  done
  fail "broker $2 was not ready within 60 s, see $1/$2/broker.log"
}

end() { # PID: TERM, then KILL after 10 s
  kill "$1" 2>/dev/null || return 0
  for _ in $(seq 100); do kill -0 "$1" 2>/dev/null || return 0; sleep .1; done
  kill -9 "$1" 2>/dev/null || true
}

stop_all() { # RUN
  for file in "$1"/*/pid; do [ ! -f "$file" ] || end "$(cat "$file")" & done; wait
  rm -rf "$1"
}

# No broker runs and nothing was touched for half an hour: whoever started it was killed.
is_left_over() { # RUN
  [ -d "$1" ] || return 1
  local file
  for file in "$1"/*/pid; do ! { [ -f "$file" ] && kill -0 "$(cat "$file")" 2>/dev/null; } || return 1; done
  [ -z "$(find "$1" -mmin -30 -print -quit)" ]
}

start() {
  local count=${1:-1} port=${2:-19092}
  [ "$count" = 1 ] || [ "$count" = 3 ] || fail "start 1 or 3 brokers, not $count"
  run=$home/run/$port # global: the trap needs it
  ! is_left_over "$run" || rm -rf "$run"
  [ ! -d "$run" ] || fail "there is a cluster on $port already: broker.sh stop $port"
  local n
  for n in $(seq "$count"); do
    for used in $((port + n - 1)) $((port + 100 + n)) $((port + 200 + n)); do
      ! (exec 3<>"/dev/tcp/127.0.0.1/$used") 2>/dev/null || fail "port $used is in use; choose another PORT (PORT, PORT+100 and PORT+200 on are needed)"
    done
  done
  ensure_jars
  # Of two starts at once one makes the folder.
  mkdir "$run" 2>/dev/null || fail "there is a cluster on $port already: broker.sh stop $port"
  # A start that fails leaves nothing running.
  trap 'stop_all "$run"' EXIT
  printf '%s\n' appender.o.type=Console appender.o.name=O appender.o.layout.type=PatternLayout 'appender.o.layout.pattern=%d %p %c{1}: %m%n' \
    rootLogger.level=warn rootLogger.appenderRef.o.ref=O logger.s.name=kafka.server.KafkaRaftServer logger.s.level=info >"$run/log4j2.properties"
  [ $tls = no ] || make_certificates "$run"
  local id users=()
  id=$(head -c16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =)
  id=${id/#-/A} # else it is taken for an option
  [ $sasl = no ] || users=(--add-scram 'SCRAM-SHA-256=[name=alice,password=alice-secret]' --add-scram 'SCRAM-SHA-512=[name=alice,password=alice-secret]')
  for i in $(seq "$count"); do
    write_properties "$run" "$i" "$count" "$port"
    java_in "$run" kafka.tools.StorageTool format -t "$id" -c "$run/$i/server.properties" "${users[@]+"${users[@]}"}" >"$run/$i/format.log" 2>&1 ||
      { cat "$run/$i/format.log" >&2; fail "formatting broker $i failed"; }
  done
  for i in $(seq "$count"); do launch "$run" "$i"; done
  for i in $(seq "$count"); do await "$run" "$i"; done
  trap - EXIT
  local brokers=()
  for i in $(seq "$count"); do brokers+=("127.0.0.1:$((port + i - 1))"); done
  (IFS=,; echo "${brokers[*]}")
}

cluster_of() {
  local run=$home/run/${1:-19092}
  [ -d "$run" ] || fail "there is no cluster on ${1:-19092}"
  echo "$run"
}

case $command in
  jars) ensure_jars ;;
  start) start "$@" ;;
  stop)
    run=$(cluster_of "${1:-}"); stop_all "$run" ;;
  kill)
    run=$(cluster_of "${2:-}"); pid=$(cat "$run/$1/pid")
    kill -9 "$pid" 2>/dev/null || fail "broker $1 does not run"
    while kill -0 "$pid" 2>/dev/null; do sleep .05; done ;;
  restart)
    run=$(cluster_of "${2:-}")
    end "$(cat "$run/$1/pid")"; launch "$run" "$1"; await "$run" "$1" ;;
  status)
    run=$(cluster_of "${1:-}"); down=0
    for file in "$run"/*/pid; do
      if kill -0 "$(cat "$file")" 2>/dev/null; then state=running; else state=down; down=1; fi
      echo "broker $(basename "$(dirname "$file")"): $state (pid $(cat "$file"))"
    done
    exit $down ;;
  *) sed -n '2,17p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2 ;;
esac
