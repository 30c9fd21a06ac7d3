# What `meshctl connectivity probe` runs on a node. It is Perl, because Cilium's own image has that (Ubuntu's perl-base) and
# nothing else that can send and see any packet. Lines that are only a comment are left out when it is sent, and where it goes
# in a request's URL, whatever the verb does not need: what follows `#: VERB`, until the next such line, is of that one alone.
#
#   watch TOKEN SECONDS    sees what arrives from now on, in the background
#                          says `address ADDRESS DEVICE`, `mtu DEVICE BYTES`, and at the end `watching`
#   send TOKEN TEST...     a TEST is ID/KIND/ADDRESS/PORT/SOURCE PORT/SIZES; KIND is tcp, udp, icmp, esp, or mtu, which sends
#                          packets of all SIZES: datagrams, or without a port echo requests
#                          says `ID OUTCOME [MORE]`
#   collect TOKEN          ends the watch
#                          says `seen ID FROM BYTES [device]`, `syn FROM SOURCE-PORT PORT [device]`, at the end `collected`
#
# With `device`, a packet has reached the node's device; without, the node's own firewall has let it in as well. TOKEN is that
# of the probe, which its packets carry; .NUMBER at its end tells watches apart that share a file system.
use strict;
use Socket qw(:DEFAULT getaddrinfo getnameinfo inet_pton inet_ntop AF_INET6 MSG_DONTWAIT);
use Errno qw(EINPROGRESS ECONNREFUSED ETIMEDOUT);
use POSIX qw(setsid);
# Of Linux' headers, what Perl's Socket does not have.
use constant { TCP => 6, UDP => 17, ICMP => 1, ICMP6 => 58, ESP => 50 };

my ($verb, $run, @words) = @ARGV;
($run // '') =~ /^([0-9a-f]{8})(\.\d+)?$/
  or die "meshctl probe: a token is eight hexadecimal digits, and may have .NUMBER at its end\n";
my $token = $1;
# No VXLAN and no Geneve header begins like this, nor a message of WireGuard: whoever holds the port lets it go.
my $magic = "\xC0mes";
my $mark = "${magic}hctl-$token/";
my $file = "/tmp/.meshctl-probe-$run";

sub nap { select undef, undef, undef, $_[0] }

#: watch
use constant { AF_PACKET => 17, ETH_P_ALL_IN_NETWORK_ORDER => 0x0300, PACKET_OUTGOING => 4, ATTACH_FILTER => 26 };
use constant { SIOCGIFMTU => 0x8921, SIOCGIFADDR => 0x8915 };
# Classic BPF: load into A or X (of a byte, half, word at an offset, or at X + offset), compare, return.
use constant { LD_IMM => 0x00, LDX_IMM => 0x01, LDX_IPV4_HEADER => 0xb1, LD_BYTE => 0x30, LD_HALF => 0x28 };
use constant { LD_WORD_X => 0x40, LD_HALF_X => 0x48, LD_BYTE_X => 0x50 };
use constant { AND => 0x54, JA => 0x05, JEQ => 0x15, JGE => 0x35, RET => 0x06 };
use constant { PROTOCOL_OF_FRAME => 0xfffff000, IPV4 => 0x0800, IPV6 => 0x86dd, KEPT => 512 };
# Connections of probes are told by their source ports.
use constant { FIRST_PORT => 61000 };

# Of the packets that a socket gets, only those of a probe: what has the mark after eight bytes of header (UDP, ICMP; ESP has
# its own eight), or begins a TCP connection from one of the ports that probes use.
# @start leaves the transport protocol in A, and in X where its header begins.
sub only_probes {
  my ($socket, @start) = @_;
  my @code = (
    @start,
    [JEQ, 0, 2, TCP], [LD_HALF_X, 0, 0, 0], [JGE, 3, 7, FIRST_PORT],
    [LD_WORD_X, 0, 0, 8], [JEQ, 4, 5, unpack 'N', $magic], [RET, 0, 0, KEPT],
    [LD_BYTE_X, 0, 0, 13], [AND, 0, 0, 0x12], [JEQ, 0, 1, 2], [RET, 0, 0, KEPT], [RET, 0, 0, 0],
  );
  my $code = join '', map { pack 'SCCL', @$_ } @code;
  setsockopt $socket, SOL_SOCKET, ATTACH_FILTER, pack 'S x![P] P', scalar @code, $code or die "filter: $!\n";
}

sub verb_watch {
  my ($seconds) = @_;
  my @sockets;
  # All that reaches a device.
  socket my $any, AF_PACKET, SOCK_DGRAM, ETH_P_ALL_IN_NETWORK_ORDER or die "no packet socket: $! (capability NET_RAW?)\n";
  only_probes $any,
    [LD_HALF, 0, 0, PROTOCOL_OF_FRAME], [JEQ, 0, 3, IPV4], [LD_BYTE, 0, 0, 9], [LDX_IPV4_HEADER, 0, 0, 0], [JA, 0, 0, 3],
    [JEQ, 0, 12, IPV6], [LD_BYTE, 0, 0, 6], [LDX_IMM, 0, 0, 40];
  push @sockets, [$any, 'device'];
  # What the node's firewall lets in: a raw socket gets its copy after netfilter's INPUT.
  for my $protocol (TCP, UDP, ICMP, ESP) {
    socket my $raw, AF_INET, SOCK_RAW, $protocol or die "no raw socket: $!\n";
    only_probes $raw, [LD_BYTE, 0, 0, 9], [LDX_IPV4_HEADER, 0, 0, 0];
    push @sockets, [$raw, 'in', 4, $protocol];
  }
  for my $protocol (TCP, UDP, ICMP6, ESP) {
    # A node without IPv6 has none.
    socket my $raw, AF_INET6, SOCK_RAW, $protocol or next;
    only_probes $raw, [LD_IMM, 0, 0, $protocol], [LDX_IMM, 0, 0, 0];
    push @sockets, [$raw, 'in', 6, $protocol];
  }
  print devices();
  # Before there is a child: one that is ended before it has begun still says what came.
  my $stop = 0;
  $SIG{TERM} = sub { $stop = 1 };
  defined(my $child = fork) or die "fork: $!\n";
  if ($child) {
    open my $pid, '>', "$file.pid" or die "$file.pid: $!\n";
    print $pid $child;
    close $pid;
    print "watching\n";
    exit 0;
  }
  setsid;
  open STDIN, '<', '/dev/null';
  open $_, '>', '/dev/null' for *STDOUT, *STDERR;
  open my $out, '>', $file or exit 1;
  select $out;
  $| = 1;
  my $end = time + $seconds;
  my %seen;
  for (my $last = 0; !$last;) {
    # What came before the end is read all the same: on a busy node that may be all of it.
    $last = $stop || time > $end;
    my $wanted = '';
    vec($wanted, fileno $_->[0], 1) = 1 for @sockets;
    next if select($wanted, undef, undef, $last ? 0 : 0.2) <= 0;
    for my $watched (@sockets) {
      my ($socket, $place, $family, $protocol) = @$watched;
      next unless vec $wanted, fileno $socket, 1;
      while (defined(my $from = recv $socket, my $packet, KEPT, MSG_DONTWAIT)) {
        # What this node sends itself passes its devices as well.
        next if $place eq 'device' && unpack('x10 C', $from) == PACKET_OUTGOING;
        my $line = line_of($packet, $from, $place, $family, $protocol);
        print $line if defined $line && !$seen{$line}++ && keys %seen < 20000;
      }
    }
  }
  unlink "$file.pid";
  # Nobody came to collect it.
  unlink $file unless $stop;
  exit 0;
}

# A packet as a line. Raw sockets of IPv6 give packets without their IP header, and who sent them apart.
sub line_of {
  my ($packet, $sender, $place, $family, $protocol) = @_;
  my ($from, $size, $rest);
  if (($family // 0) == 6) {
    ($from, $rest) = (inet_ntop(AF_INET6, (unpack_sockaddr_in6 $sender)[1]), $packet);
  } elsif (ord($packet) >> 4 == 4) {
    ($size, $protocol, $from) = unpack 'x2 n x5 C x2 a4', $packet;
    ($from, $rest) = (inet_ntoa($from), substr $packet, 4 * (ord($packet) & 15));
  } else {
    ($size, $protocol, $from) = unpack 'x4 n C x a16', $packet;
    ($size, $from, $rest) = ($size + 40, inet_ntop(AF_INET6, $from), substr $packet, 40);
  }
  my $how = $place eq 'device' ? ' device' : '';
  return sprintf "syn %s %d %d%s\n", $from, unpack('nn', $rest), $how if $protocol == TCP;
  # An answer to this node's own echo request is no request.
  return if $protocol == ICMP && ord $rest != 8 or $protocol == ICMP6 && ord $rest != 128;
  $size //= 40 + ($protocol == UDP ? unpack 'x4 n', $rest : length $rest);
  substr($rest, 8) =~ /^\Q$mark\E(\w+)\// ? "seen $1 $from $size$how\n" : undef;
}

# The devices here, with their MTUs and addresses, as lines.
sub devices {
  my @lines;
  socket my $socket, AF_INET, SOCK_DGRAM, 0 or return;
  open my $names, '<', '/proc/net/dev' or return;
  while (<$names>) {
    next unless /^\s*(\S+?):/;
    my $device = $1;
    my $ask = pack 'a16 x24', $device;
    push @lines, sprintf "mtu %s %d\n", $device, unpack 'x16 l', $ask if ioctl $socket, SIOCGIFMTU, $ask;
    $ask = pack 'a16 x24', $device;
    push @lines, sprintf "address %s %s\n", inet_ntoa(unpack 'x20 a4', $ask), $device if ioctl $socket, SIOCGIFADDR, $ask;
  }
  open my $six, '<', '/proc/net/if_inet6' or return @lines;
  while (<$six>) {
    my ($hex, $device) = (split)[0, 5];
    push @lines, sprintf "address %s %s\n", inet_ntop(AF_INET6, pack 'H32', $hex), $device;
  }
  @lines;
}

#: send
use constant { O_NONBLOCK => 2048, TCP_INFO => 11, NI_NUMERIC => 1 | 2, PATIENCE => 2.5 };
use constant { IPPROTO_IP => 0, IP_MTU_DISCOVER => 10, PMTUDISC_PROBE => 3 };
use constant { IPPROTO_IPV6 => 41, IPV6_MTU_DISCOVER => 23, IPV6_DONTFRAG => 62 };

# Seconds of the monotonic clock, where its system call is known.
my $clock = { x86_64 => 228, aarch64 => 113 }->{(POSIX::uname())[4]};
sub now {
  my $time = "\0" x 16;
  return time unless defined $clock && syscall($clock, 1, $time) == 0;
  my ($seconds, $nanoseconds) = unpack 'qq', $time;
  $seconds + $nanoseconds / 1e9;
}
sub readable { my ($socket, $seconds) = @_; my $set = ''; vec($set, fileno $socket, 1) = 1; select $set, undef, undef, $seconds }

# All tests at the same time, each in a process of its own.
sub verb_send {
  my @children;
  for my $test (@words) {
    my ($id, @how) = split m{/}, $test;
    defined(my $child = fork) or die "fork: $!\n";
    if (!$child) {
      my $said = eval { outcome_of($id, @how) } // "unreachable $@";
      $said =~ s/\s+$//;
      syswrite STDOUT, "$id $said\n";
      POSIX::_exit 0;
    }
    push @children, $child;
  }
  waitpid $_, 0 for @children;
}

sub outcome_of {
  my ($id, $kind, $host, $port, $source_port, $sizes) = @_;
  my %protocols = (tcp => TCP, udp => UDP, icmp => ICMP, esp => ESP, mtu => $port ? UDP : ICMP);
  my $protocol = $protocols{$kind} // die "not a kind of test: $kind\n";
  my $type = { (TCP) => SOCK_STREAM, (UDP) => SOCK_DGRAM }->{$protocol} // SOCK_RAW;
  my ($wrong, @found) = getaddrinfo $host, $port || 9, { socktype => $protocol == TCP ? SOCK_STREAM : SOCK_DGRAM };
  return "unreachable $wrong" if $wrong || !@found;
  my ($family, $address) = @{ $found[0] }{qw(family addr)};
  my $is6 = $family == AF_INET6;
  if ($type == SOCK_RAW) {
    # A raw socket's address has no port.
    my ($failed, $ip) = getnameinfo $address, NI_NUMERIC;
    $address = $is6 ? pack_sockaddr_in6(0, inet_pton AF_INET6, $ip) : pack_sockaddr_in(0, inet_aton $ip);
    $protocol = ICMP6 if $is6 && $protocol == ICMP;
  }
  socket my $socket, $family, $type, $protocol or return why();
  return connected($socket, $is6, $address, $source_port) if $kind eq 'tcp';
  return answered($socket, $is6, $address, $id) if $kind eq 'icmp';
  # Never in fragments, whatever the kernel believes to know of the path.
  if ($is6) {
    setsockopt $socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE;
    setsockopt $socket, IPPROTO_IPV6, IPV6_DONTFRAG, 1;
  } elsif ($kind ne 'esp') {
    setsockopt $socket, IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE;
  }
  connect $socket, $address or return why();
  return sent_sizes($socket, $is6, $id, $type == SOCK_RAW, split /,/, $sizes) if $kind eq 'mtu';
  my $data = ($kind eq 'esp' ? pack 'N N', 0xC06D6573, 1 : '') . text($id, 40);
  for (1 .. 3) {
    defined send $socket, $data, 0 or return why();
    # What comes back of a datagram is that it is refused.
    if ($kind eq 'udp' && readable $socket, 0.25) { return why() unless defined recv $socket, my $answer, 64, 0 } else { nap 0.05 }
  }
  'sent';
}

# A connection, and the kernel's time for it.
sub connected {
  my ($socket, $is6, $address, $source_port) = @_;
  if ($source_port) {
    setsockopt $socket, SOL_SOCKET, SO_REUSEADDR, 1;
    bind $socket, $is6 ? pack_sockaddr_in6($source_port, "\0" x 16) : pack_sockaddr_in($source_port, INADDR_ANY);
  }
  fcntl $socket, 4, O_NONBLOCK;
  my $start = now;
  unless (connect $socket, $address) {
    return why() unless $! == EINPROGRESS;
    my $ready = '';
    vec($ready, fileno $socket, 1) = 1;
    return 'silent' unless select undef, $ready, undef, PATIENCE;
    $! = unpack 'i', getsockopt $socket, SOL_SOCKET, SO_ERROR;
    return $! == ETIMEDOUT ? 'silent' : why() if $! != 0;
  }
  my $info = getsockopt $socket, TCP, TCP_INFO;
  my $microseconds = $info && length $info >= 72 ? unpack 'x68 L', $info : 1e6 * (now() - $start);
  sprintf 'open %.2f', $microseconds / 1000;
}

sub answered {
  my ($socket, $is6, $address, $id) = @_;
  for my $try (1 .. 2) {
    my $start = now;
    defined send $socket, echo($is6, $try, text($id, 32)), 0, $address or return why();
    while ((my $left = $start + PATIENCE / 2 - now) > 0) {
      last unless readable $socket, $left;
      recv $socket, my $answer, 1500, 0;
      $answer = substr $answer, 4 * (ord($answer) & 15) unless $is6;
      my ($type, $of) = unpack 'C x3 n', $answer;
      my $isOurs = $type == ($is6 ? 129 : 0) && $of == ($$ & 0xffff) && index($answer, $mark) == 8;
      return sprintf 'answered %.2f', 1000 * (now() - $start) if $isOurs;
    }
  }
  'silent';
}

# Each size twice, slowly; those that the kernel let out.
sub sent_sizes {
  my ($socket, $is6, $id, $is_echo, @sizes) = @_;
  my @sent;
  for my $size (@sizes) {
    my $data = text($id, $size - ($is6 ? 48 : 28));
    $data = echo($is6, $size & 0xffff, $data) if $is_echo;
    my $went = 0;
    for (1 .. 2) { $went++ if defined send $socket, $data, 0; nap 0.003 }
    push @sent, $size if $went;
  }
  'sent ' . join ',', @sent;
}

sub why { $! == ECONNREFUSED ? 'refused' : "unreachable $!" }
sub text { my ($id, $length) = @_; my $text = "$mark$id/"; $text . "\0" x ($length - length $text) }

# An echo request; the checksum of one over IPv6 is the kernel's.
sub echo {
  my ($is6, $number, $data) = @_;
  my $echo = pack 'C C n n n a*', $is6 ? 128 : 8, 0, 0, $$ & 0xffff, $number, $data;
  substr($echo, 2, 2) = pack 'n', checksum($echo) unless $is6;
  $echo;
}
sub checksum {
  my ($data) = @_;
  my $sum = 0;
  $sum += $_ for unpack 'n*', length($data) % 2 ? "$data\0" : $data;
  $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
  ~$sum & 0xffff;
}

#: collect
sub verb_collect {
  open my $pid, '<', "$file.pid" or do { warn "not watching\n"; exit 1 };
  my $watch = <$pid>;
  kill TERM => $watch;
  for (1 .. 200) { last unless -e "$file.pid" && kill 0 => $watch; nap 0.05 }
  # One that ended by itself has taken its number away: of one that was killed it is not known what it did not see.
  my $lasted = !-e "$file.pid";
  if ($lasted && open my $saw, '<', $file) { print while <$saw> }
  unlink $file, "$file.pid";
  $lasted or do { warn "the watch did not last\n"; exit 1 };
  print "collected\n";
}

#: all
(main->can("verb_$verb") // die "not a verb: $verb\n")->(@words);
