# What `meshctl connectivity probe` runs on a node: Perl, because Cilium's own image has it (Ubuntu's perl-base) and nothing
# else that can send and see any packet. Lines that are only a comment are left out when it is sent.
# TOKEN is that of the probe, which its packets carry; .NUMBER tells watches apart that share a file system.
#   watch TOKEN SECONDS     sees what arrives from now on, in the background: says `address ADDRESS DEVICE`, `mtu DEVICE BYTES`, `watching`
#   send TOKEN TEST...      TEST is ID/KIND/ADDRESS/PORT/SPORT/SIZES; says `ID OUTCOME [MORE]`; of kind mtu, without a port
#                           echo requests are sent, of all SIZES
#   collect TOKEN           ends the watch: says `seen ID FROM BYTES [device]`, `syn FROM SPORT DPORT [device]`, `collected`
# With `device` at the end, a packet has reached the node's device; without, its own firewall has let it in as well.
use strict; use Socket qw(:DEFAULT getaddrinfo getnameinfo inet_pton inet_ntop IPPROTO_TCP AF_INET6 MSG_DONTWAIT);
use Errno qw(EINPROGRESS ECONNREFUSED EHOSTUNREACH ENETUNREACH EMSGSIZE); use POSIX qw(:sys_wait_h setsid);
my ($verb, $run, @words) = @ARGV;
die "meshctl probe: a token is eight hexadecimal digits, and may have .NUMBER at its end\n" unless ($run // '') =~ /^([0-9a-f]{8})(\.\d+)?$/;
my $token = $1;
# No VXLAN and no Geneve header begins like this, nor a message of WireGuard: whoever holds the port lets it go.
my $magic = "\xC0mes";
my $mark = "${magic}hctl-$token/";
my $file = "/tmp/.meshctl-probe-$run";
my %clock = (x86_64 => 228, aarch64 => 113);
my $clock = $clock{(POSIX::uname())[4]};
sub now { my $t = "\0" x 16; defined $clock && syscall($clock, 1, $t) == 0 or return time; my ($s, $n) = unpack 'qq', $t; $s + $n / 1e9 }
sub nap { select undef, undef, undef, $_[0] }

# Of the packets that a socket gets, only those of a probe (Linux' classic BPF): what has the mark after eight bytes of header,
# or begins a TCP connection from one of the ports that probes use.
sub only_probes {
  my ($socket, @start) = @_;
  my $n = @start;
  my @code = (@start,
    [0x15, 0, 2, 6], [0x48, 0, 0, 0], [0x35, 3, 7, 61000], [0x40, 0, 0, 8], [0x15, 4, 5, unpack 'N', $magic], [0x06, 0, 0, 0],
    [0x50, 0, 0, 13], [0x54, 0, 0, 0x12], [0x15, 0, 1, 2], [0x06, 0, 0, 512], [0x06, 0, 0, 0]);
  my $code = join '', map { pack 'SCCL', @$_ } @code;
  setsockopt $socket, SOL_SOCKET, 26, pack 'S x![P] P', scalar @code, $code or die "filter: $!\n";
}

sub watch {
  my ($seconds) = @_;
  my @sockets;
  # All that reaches a device.
  socket my $any, 17, SOCK_DGRAM, 0x0300 or die "no packet socket: $! (capability NET_RAW?)\n";
  only_probes $any, [0x28, 0, 0, 0xfffff000], [0x15, 0, 3, 0x0800], [0x30, 0, 0, 9], [0xb1, 0, 0, 0], [0x05, 0, 0, 3], [0x15, 0, 12, 0x86dd], [0x30, 0, 0, 6], [0x01, 0, 0, 40];
  push @sockets, [$any, 'device'];
  # What the node's firewall lets in: a raw socket gets its copy after netfilter's INPUT.
  for my $protocol (6, 17, 1, 50) {
    socket my $raw, AF_INET, SOCK_RAW, $protocol or die "no raw socket: $!\n";
    only_probes $raw, [0x30, 0, 0, 9], [0xb1, 0, 0, 0];
    push @sockets, [$raw, 'in', 4, $protocol];
  }
  for my $protocol (6, 17, 58, 50) {
    socket my $raw, AF_INET6, SOCK_RAW, $protocol or next;
    only_probes $raw, [0x00, 0, 0, $protocol], [0x01, 0, 0, 0];
    push @sockets, [$raw, 'in', 6, $protocol];
  }
  devices();
  defined(my $child = fork) or die "fork: $!\n";
  if ($child) {
    open my $f, '>', "$file.pid" or die "$file.pid: $!\n"; print $f $child; close $f;
    print "watching\n"; exit 0;
  }
  setsid; open STDIN, '<', '/dev/null'; open STDOUT, '>', '/dev/null'; open STDERR, '>', '/dev/null';
  open my $out, '>', $file or exit 1; select $out; $| = 1; 
  my $end = time + $seconds; my $stop = 0; $SIG{TERM} = sub { $stop = 1 };
  my %seen;
  until ($stop || time > $end) {
    my $wanted = ''; vec($wanted, fileno $_->[0], 1) = 1 for @sockets;
    next if select($wanted, undef, undef, 0.2) <= 0;
    for my $watched (@sockets) {
      my ($socket, $place, $family, $protocol) = @$watched;
      next unless vec $wanted, fileno $socket, 1;
      while (defined(my $from = recv $socket, my $packet, 512, MSG_DONTWAIT)) {
        # What this node sends itself passes its devices as well.
        next if $place eq 'device' && unpack('x10 C', $from) == 4;
        my $line = line_of($packet, $from, $place, $family, $protocol);
        print $line if defined $line && !$seen{$line}++ && keys %seen < 20000;
      }
    }
  }
  unlink $file, "$file.pid" unless $stop;
  exit 0;
}

sub line_of {
  my ($packet, $sender, $place, $family, $protocol) = @_;
  my ($from, $size, $rest);
  if (($family // 0) == 6) {
    $from = inet_ntop AF_INET6, (unpack_sockaddr_in6 $sender)[1]; $rest = $packet; $size = undef;
  } elsif (ord($packet) >> 4 == 4) {
    ($size, $protocol, $from) = unpack 'x2 n x5 C x2 a4', $packet; $from = inet_ntoa $from; $rest = substr $packet, 4 * (ord($packet) & 15);
  } else {
    ($size, $protocol, $from) = unpack 'x4 n C x a16', $packet; $size += 40; $from = inet_ntop AF_INET6, $from; $rest = substr $packet, 40;
  }
  my $how = $place eq 'device' ? ' device' : '';
  if ($protocol == 6) { my ($sport, $dport) = unpack 'nn', $rest; return "syn $from $sport $dport$how\n" }
  # An answer to this node's own echo request is no request.
  return if $protocol == 1 && ord $rest != 8 or $protocol == 58 && ord $rest != 128;
  $size //= 40 + ($protocol == 17 ? unpack 'x4 n', $rest : length $rest);
  return unless substr($rest, 8) =~ /^\Q$mark\E(\w+)\//;
  "seen $1 $from $size$how\n";
}

sub devices {
  socket my $s, AF_INET, SOCK_DGRAM, 0 or return;
  open my $f, '<', '/proc/net/dev' or return;
  while (<$f>) {
    next unless /^\s*(\S+?):/; my $device = $1;
    my $ask = pack 'a16 x24', $device;
    ioctl $s, 0x8921, $ask and printf "mtu %s %d\n", $device, unpack 'x16 l', $ask;
    $ask = pack 'a16 x24', $device;
    ioctl $s, 0x8915, $ask and printf "address %s %s\n", inet_ntoa(unpack 'x20 a4', $ask), $device;
  }
  open my $six, '<', '/proc/net/if_inet6' or return;
  while (<$six>) { my ($hex, $device) = (split)[0, 5]; print 'address ', inet_ntop(AF_INET6, pack 'H32', $hex), " $device\n" }
}

sub send_all {
  $| = 1;
  my @children;
  for my $test (@words) {
    my ($id, $kind, $host, $port, $sport, $sizes) = split m{/}, $test;
    defined(my $child = fork) or die "fork: $!\n";
    if (!$child) { my $said = eval { probe($id, $kind, $host, $port, $sport, $sizes) } // "unreachable $@"; $said =~ s/\s+$//; syswrite STDOUT, "$id $said\n"; POSIX::_exit 0 }
    push @children, $child;
  }
  waitpid $_, 0 for @children;
}

sub why { $! == ECONNREFUSED ? 'refused' : "unreachable $!" }
sub text { my ($id, $length) = @_; my $t = "$mark$id/"; $t . "\0" x ($length > length $t ? $length - length $t : 0) }

sub probe {
  my ($id, $kind, $host, $port, $sport, $sizes) = @_;
  my %protocol = (tcp => 6, udp => 17, mtu => $port ? 17 : 1, icmp => 1, esp => 50);
  my $protocol = $protocol{$kind} // die "not a kind of test: $kind\n";
  my ($wrong, @found) = getaddrinfo $host, $port || 9, { socktype => $protocol == 6 ? SOCK_STREAM : SOCK_DGRAM };
  return "unreachable $wrong" if $wrong || !@found;
  my ($family, $address) = @{$found[0]}{qw(family addr)};
  my $is6 = $family == AF_INET6;
  my $is_raw = $protocol == 1 || $protocol == 50;
  if ($is_raw) {
    # A raw socket's address has no port.
    my ($name_error, $ip) = getnameinfo $address, 1 | 2;
    $address = $is6 ? Socket::pack_sockaddr_in6(0, inet_pton AF_INET6, $ip) : pack_sockaddr_in(0, inet_aton $ip);
    $protocol = 58 if $is6 && $protocol == 1;
  }
  socket my $s, $family, $is_raw ? SOCK_RAW : $kind eq 'tcp' ? SOCK_STREAM : SOCK_DGRAM, $protocol or return why();
  my $patience = 2.5;
  if ($kind eq 'tcp') {
    setsockopt $s, SOL_SOCKET, SO_REUSEADDR, 1;
    bind $s, $is6 ? Socket::pack_sockaddr_in6($sport, "\0" x 16) : pack_sockaddr_in($sport, INADDR_ANY) if $sport;
    fcntl $s, 4, 2048;
    my $start = now;
    unless (connect $s, $address) {
      return why() unless $! == EINPROGRESS;
      my $ready = ''; vec($ready, fileno $s, 1) = 1;
      return 'silent' unless select undef, $ready, undef, $patience;
      if ($! = unpack 'i', getsockopt $s, SOL_SOCKET, Socket::SO_ERROR()) { return $! == POSIX::ETIMEDOUT() ? 'silent' : why() }
    }
    my $info = getsockopt $s, 6, 11;
    my $ms = $info && length $info >= 72 ? unpack('x68 L', $info) / 1000 : 1000 * (now() - $start);
    return sprintf 'open %.2f', $ms;
  }
  if ($kind eq 'icmp') {
    my $me = $$ & 0xffff;
    for my $try (1 .. 2) {
      my $start = now;
      defined send $s, echo($is6, $me, $try, text($id, 32)), 0, $address or return why();
      while ((my $left = $start + $patience / 2 - now) > 0) {
        my $ready = ''; vec($ready, fileno $s, 1) = 1;
        last unless select $ready, undef, undef, $left;
        recv $s, my $answer, 1500, 0; $answer = substr $answer, 4 * (ord($answer) & 15) unless $is6;
        my ($type, $of) = unpack 'C x3 n', $answer;
        return sprintf 'answered %.2f', 1000 * (now() - $start) if $type == ($is6 ? 129 : 0) && $of == $me && index($answer, $mark) == 8;
      }
    }
    return 'silent';
  }
  # Never in fragments, whatever the kernel believes to know of the path.
  if ($is6) { setsockopt $s, 41, 23, 3; setsockopt $s, 41, 62, 1 } elsif ($kind ne 'esp') { setsockopt $s, 0, 10, 3 }
  connect $s, $address or return why();
  if ($kind eq 'mtu') {
    my @sent;
    for my $size (split /,/, $sizes) {
      my $data = text($id, $size - ($is6 ? 48 : 28));
      $data = echo($is6, $$ & 0xffff, $size & 0xffff, $data) if $is_raw;
      my $went = 0;
      for (1 .. 2) { $went++ if defined send $s, $data, 0; nap 0.003 }
      push @sent, $size if $went;
    }
    return 'sent ' . join ',', @sent;
  }
  my $data = $kind eq 'esp' ? pack('N N a*', 0xC06D6573, 1, text($id, 40)) : text($id, 40);
  for (1 .. 3) {
    defined send $s, $data, 0 or return why();
    my $ready = ''; vec($ready, fileno $s, 1) = 1;
    if ($kind eq 'udp' && select $ready, undef, undef, 0.25) { return why() unless defined recv $s, my $answer, 64, 0 } else { nap 0.05 }
  }
  'sent';
}

sub echo {
  my ($is6, $id, $number, $data) = @_;
  my $echo = pack 'C C n n n a*', $is6 ? 128 : 8, 0, 0, $id, $number, $data;
  substr($echo, 2, 2) = pack 'n', sum($echo) unless $is6;
  $echo;
}
sub sum { my $n = 0; $n += $_ for unpack 'n*', length($_[0]) % 2 ? "$_[0]\0" : $_[0]; $n = ($n & 0xffff) + ($n >> 16) while $n >> 16; ~$n & 0xffff }

sub collect {
  open my $f, '<', "$file.pid" or do { warn "not watching\n"; exit 1 };
  my $pid = <$f>; kill TERM => $pid;
  for (1 .. 50) { last unless kill 0 => $pid; nap 0.05 }
  if (open my $saw, '<', $file) { print while <$saw> }
  unlink $file, "$file.pid";
  print "collected\n";
}

$verb eq 'watch' ? watch(@words) : $verb eq 'send' ? send_all() : $verb eq 'collect' ? collect() : die "not a verb: $verb\n";
