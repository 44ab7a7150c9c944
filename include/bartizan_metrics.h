/*
 * The numbers of metrics and sources. Generated from the one table of metrics; included by bartizan.h.
 * Numbers are appended, never moved and never used again. Since: 0.1
 */
#ifndef BARTIZAN_METRICS_H
#define BARTIZAN_METRICS_H

/* Where values come from: btz_value.source, btz_metric.source, btz_source.source. */
#define BTZ_SOURCE_PROC_STAT 0
#define BTZ_SOURCE_MEMINFO 1
#define BTZ_SOURCE_VMSTAT 2
#define BTZ_SOURCE_DISKSTATS 3
#define BTZ_SOURCE_NET_DEV 4
#define BTZ_SOURCE_LOADAVG 5
#define BTZ_SOURCE_PRESSURE 6
#define BTZ_SOURCE_SCHEDSTAT 7
#define BTZ_SOURCE_SOFTIRQS 8
#define BTZ_SOURCE_INTERRUPTS 9
#define BTZ_SOURCE_FILE_TABLES 10
#define BTZ_SOURCE_CONNTRACK 11
#define BTZ_SOURCE_KSM 12
#define BTZ_SOURCE_NUMA 13
#define BTZ_SOURCE_KERNEL_HEALTH 14
#define BTZ_SOURCE_THERMAL 15
#define BTZ_SOURCE_RAPL 16
#define BTZ_SOURCE_CLOCK 17
#define BTZ_SOURCE_PERF 18
#define BTZ_SOURCE_NET_STAT 19
#define BTZ_SOURCE_TASK_STAT 20
#define BTZ_SOURCE_SCHEDULE 21
#define BTZ_SOURCE_TASK_IO 22
#define BTZ_SOURCE_TASK_STATUS 23
#define BTZ_SOURCE_SMAPS 24
#define BTZ_SOURCE_CGROUP_CPU 25
#define BTZ_SOURCE_CGROUP_MEMORY 26
#define BTZ_SOURCE_CGROUP_IO 27
#define BTZ_SOURCE_CGROUP_PRESSURE 28
#define BTZ_SOURCE_KVM 29
#define BTZ_SOURCE_MONITOR 30
#define BTZ_SOURCE_MONITOR_DISK 31
#define BTZ_SOURCE_TAP 32
#define BTZ_SOURCE_DESCRIPTORS 33
#define BTZ_SOURCE_AGENT 34
#define BTZ_SOURCE_CGROUP_PIDS 35
#define BTZ_SOURCE_FILESYSTEM 36

/* Metrics of scope "host". */
/* host_cpu_user_seconds (counter): Time all CPUs spent in user code, guests included. */
#define BTZ_METRIC_HOST_CPU_USER 1000
/* host_cpu_nice_seconds (counter): Time all CPUs spent in user code of lowered priority, such guests included. */
#define BTZ_METRIC_HOST_CPU_NICE 1001
/* host_cpu_system_seconds (counter): Time all CPUs spent in the kernel. */
#define BTZ_METRIC_HOST_CPU_SYSTEM 1002
/* host_cpu_idle_seconds (counter): Time all CPUs had nothing to do. */
#define BTZ_METRIC_HOST_CPU_IDLE 1003
/* host_cpu_iowait_seconds (counter): Idle time with a disk request under way; a hint only, see proc(5). */
#define BTZ_METRIC_HOST_CPU_IOWAIT 1004
/* host_cpu_irq_seconds (counter): Time all CPUs spent in interrupt handlers. */
#define BTZ_METRIC_HOST_CPU_IRQ 1005
/* host_cpu_softirq_seconds (counter): Time all CPUs spent in soft interrupts. */
#define BTZ_METRIC_HOST_CPU_SOFTIRQ 1006
/* host_cpu_steal_seconds (counter): Time a hypervisor below this host ran something else. */
#define BTZ_METRIC_HOST_CPU_STEAL 1007
/* host_cpu_guest_seconds (counter): Time all CPUs ran guests; part of user time. */
#define BTZ_METRIC_HOST_CPU_GUEST 1008
/* host_cpu_guest_nice_seconds (counter): Time all CPUs ran guests of lowered priority; part of nice time. */
#define BTZ_METRIC_HOST_CPU_GUEST_NICE 1009
/* host_interrupts (counter): Interrupts handled by all CPUs. */
#define BTZ_METRIC_HOST_INTERRUPTS 1010
/* host_context_switches (counter): Context switches of all CPUs. */
#define BTZ_METRIC_HOST_CONTEXT_SWITCHES 1011
/* host_forks (counter): Processes and threads created. */
#define BTZ_METRIC_HOST_FORKS 1012
/* host_processes_running: Threads that run or could run now. */
#define BTZ_METRIC_HOST_PROCESSES_RUNNING 1013
/* host_processes_blocked: Threads that wait for I/O to complete. */
#define BTZ_METRIC_HOST_PROCESSES_BLOCKED 1014
/* host_boot_time_seconds: When the host booted, since the epoch. */
#define BTZ_METRIC_HOST_BOOT_TIME 1015
/* host_softirqs (counter): Soft interrupts handled by all CPUs. */
#define BTZ_METRIC_HOST_SOFTIRQS 1016
/* host_softirqs_hi (counter): Soft interrupts for high-priority tasklets. */
#define BTZ_METRIC_HOST_SOFTIRQS_HI 1017
/* host_softirqs_timer (counter): Soft interrupts for timers. */
#define BTZ_METRIC_HOST_SOFTIRQS_TIMER 1018
/* host_softirqs_net_tx (counter): Soft interrupts for network transmission. */
#define BTZ_METRIC_HOST_SOFTIRQS_NET_TX 1019
/* host_softirqs_net_rx (counter): Soft interrupts for network reception. */
#define BTZ_METRIC_HOST_SOFTIRQS_NET_RX 1020
/* host_softirqs_block (counter): Soft interrupts for block device completion. */
#define BTZ_METRIC_HOST_SOFTIRQS_BLOCK 1021
/* host_softirqs_irq_poll (counter): Soft interrupts for polled block device completion. */
#define BTZ_METRIC_HOST_SOFTIRQS_IRQ_POLL 1022
/* host_softirqs_tasklet (counter): Soft interrupts for tasklets. */
#define BTZ_METRIC_HOST_SOFTIRQS_TASKLET 1023
/* host_softirqs_sched (counter): Soft interrupts for scheduler balancing. */
#define BTZ_METRIC_HOST_SOFTIRQS_SCHED 1024
/* host_softirqs_hrtimer (counter): Soft interrupts for high-resolution timers. */
#define BTZ_METRIC_HOST_SOFTIRQS_HRTIMER 1025
/* host_softirqs_rcu (counter): Soft interrupts for read-copy-update callbacks. */
#define BTZ_METRIC_HOST_SOFTIRQS_RCU 1026
/* host_load_1m_ratio: Load average over one minute: 1 is one thread that runs or waits for a disk. */
#define BTZ_METRIC_HOST_LOAD_1M 1027
/* host_load_5m_ratio: Load average over five minutes: 1 is one thread that runs or waits for a disk. */
#define BTZ_METRIC_HOST_LOAD_5M 1028
/* host_load_15m_ratio: Load average over fifteen minutes: 1 is one thread that runs or waits for a disk. */
#define BTZ_METRIC_HOST_LOAD_15M 1029
/* host_threads_runnable: Scheduling entities that run or could run now. */
#define BTZ_METRIC_HOST_THREADS_RUNNABLE 1030
/* host_threads: Scheduling entities that exist. */
#define BTZ_METRIC_HOST_THREADS 1031
/* host_last_pid: The PID given out last. */
#define BTZ_METRIC_HOST_LAST_PID 1032
/* host_memory_total_bytes: Usable memory of the host. */
#define BTZ_METRIC_HOST_MEMORY_TOTAL 1033
/* host_memory_free_bytes: Memory that nothing uses. */
#define BTZ_METRIC_HOST_MEMORY_FREE 1034
/* host_memory_available_bytes: Memory that can be had without swapping, as the kernel estimates it. */
#define BTZ_METRIC_HOST_MEMORY_AVAILABLE 1035
/* host_memory_buffers_bytes: Page cache of raw block devices. */
#define BTZ_METRIC_HOST_MEMORY_BUFFERS 1036
/* host_memory_cached_bytes: Page cache of files and shared memory. */
#define BTZ_METRIC_HOST_MEMORY_CACHED 1037
/* host_swap_cached_bytes: Memory that is also in swap, unchanged. */
#define BTZ_METRIC_HOST_SWAP_CACHED 1038
/* host_memory_active_bytes: Memory used recently. */
#define BTZ_METRIC_HOST_MEMORY_ACTIVE 1039
/* host_memory_inactive_bytes: Memory not used recently: reclaimed first. */
#define BTZ_METRIC_HOST_MEMORY_INACTIVE 1040
/* host_memory_active_anon_bytes: Anonymous memory used recently. */
#define BTZ_METRIC_HOST_MEMORY_ACTIVE_ANON 1041
/* host_memory_inactive_anon_bytes: Anonymous memory not used recently. */
#define BTZ_METRIC_HOST_MEMORY_INACTIVE_ANON 1042
/* host_memory_active_file_bytes: Page cache used recently. */
#define BTZ_METRIC_HOST_MEMORY_ACTIVE_FILE 1043
/* host_memory_inactive_file_bytes: Page cache not used recently. */
#define BTZ_METRIC_HOST_MEMORY_INACTIVE_FILE 1044
/* host_memory_unevictable_bytes: Memory that cannot be reclaimed. */
#define BTZ_METRIC_HOST_MEMORY_UNEVICTABLE 1045
/* host_memory_locked_bytes: Memory locked with mlock. */
#define BTZ_METRIC_HOST_MEMORY_LOCKED 1046
/* host_swap_total_bytes: Size of all swap. */
#define BTZ_METRIC_HOST_SWAP_TOTAL 1047
/* host_swap_free_bytes: Swap that nothing uses. */
#define BTZ_METRIC_HOST_SWAP_FREE 1048
/* host_zswap_used_bytes: Memory that zswap takes for what it compressed. */
#define BTZ_METRIC_HOST_ZSWAP_USED 1049
/* host_zswap_stored_bytes: Memory stored in zswap, before compression. */
#define BTZ_METRIC_HOST_ZSWAP_STORED 1050
/* host_memory_dirty_bytes: Memory that waits to be written to disk. */
#define BTZ_METRIC_HOST_MEMORY_DIRTY 1051
/* host_memory_writeback_bytes: Memory that is being written to disk. */
#define BTZ_METRIC_HOST_MEMORY_WRITEBACK 1052
/* host_memory_anon_bytes: Anonymous memory mapped into processes: guests' memory mostly. */
#define BTZ_METRIC_HOST_MEMORY_ANON 1053
/* host_memory_mapped_bytes: Files mapped into processes. */
#define BTZ_METRIC_HOST_MEMORY_MAPPED 1054
/* host_memory_shared_bytes: Shared memory and tmpfs. */
#define BTZ_METRIC_HOST_MEMORY_SHARED 1055
/* host_memory_kernel_reclaimable_bytes: Kernel memory that can be reclaimed under pressure. */
#define BTZ_METRIC_HOST_MEMORY_KERNEL_RECLAIMABLE 1056
/* host_memory_slab_bytes: Kernel object caches. */
#define BTZ_METRIC_HOST_MEMORY_SLAB 1057
/* host_memory_slab_reclaimable_bytes: Kernel object caches that can be reclaimed. */
#define BTZ_METRIC_HOST_MEMORY_SLAB_RECLAIMABLE 1058
/* host_memory_slab_unreclaimable_bytes: Kernel object caches that cannot be reclaimed. */
#define BTZ_METRIC_HOST_MEMORY_SLAB_UNRECLAIMABLE 1059
/* host_memory_kernel_stacks_bytes: Kernel stacks of all threads. */
#define BTZ_METRIC_HOST_MEMORY_KERNEL_STACKS 1060
/* host_memory_page_tables_bytes: Page tables of processes. */
#define BTZ_METRIC_HOST_MEMORY_PAGE_TABLES 1061
/* host_memory_kvm_page_tables_bytes: Secondary page tables: KVM's for its guests, and IOMMUs'. */
#define BTZ_METRIC_HOST_MEMORY_KVM_PAGE_TABLES 1062
/* host_memory_bounce_bytes: Bounce buffers of block devices. */
#define BTZ_METRIC_HOST_MEMORY_BOUNCE 1063
/* host_memory_writeback_fuse_bytes: Temporary buffers of FUSE writeback. */
#define BTZ_METRIC_HOST_MEMORY_WRITEBACK_FUSE 1064
/* host_memory_commit_limit_bytes: Memory that may be promised when overcommit is off. */
#define BTZ_METRIC_HOST_MEMORY_COMMIT_LIMIT 1065
/* host_memory_committed_bytes: Memory promised to processes. */
#define BTZ_METRIC_HOST_MEMORY_COMMITTED 1066
/* host_memory_vmalloc_bytes: Kernel memory that is contiguous only virtually. */
#define BTZ_METRIC_HOST_MEMORY_VMALLOC 1067
/* host_memory_percpu_bytes: Kernel memory kept per CPU. */
#define BTZ_METRIC_HOST_MEMORY_PERCPU 1068
/* host_memory_corrupted_bytes: Memory taken out of use after hardware errors. */
#define BTZ_METRIC_HOST_MEMORY_CORRUPTED 1069
/* host_memory_thp_anon_bytes: Anonymous memory in transparent huge pages. */
#define BTZ_METRIC_HOST_MEMORY_THP_ANON 1070
/* host_memory_thp_shared_bytes: Shared memory in transparent huge pages. */
#define BTZ_METRIC_HOST_MEMORY_THP_SHARED 1071
/* host_memory_thp_shared_mapped_bytes: Shared memory mapped by huge pages. */
#define BTZ_METRIC_HOST_MEMORY_THP_SHARED_MAPPED 1072
/* host_memory_thp_file_bytes: Page cache in transparent huge pages. */
#define BTZ_METRIC_HOST_MEMORY_THP_FILE 1073
/* host_memory_thp_file_mapped_bytes: Page cache mapped by huge pages. */
#define BTZ_METRIC_HOST_MEMORY_THP_FILE_MAPPED 1074
/* host_memory_cma_total_bytes: Memory set aside for contiguous allocation. */
#define BTZ_METRIC_HOST_MEMORY_CMA_TOTAL 1075
/* host_memory_cma_free_bytes: Free memory of what is set aside for contiguous allocation. */
#define BTZ_METRIC_HOST_MEMORY_CMA_FREE 1076
/* host_memory_unaccepted_bytes: Memory a confidential guest has not accepted yet. */
#define BTZ_METRIC_HOST_MEMORY_UNACCEPTED 1077
/* host_memory_balloon_bytes: Memory this host, being a guest, gave back by its balloon. */
#define BTZ_METRIC_HOST_MEMORY_BALLOON 1078
/* host_huge_pages_bytes: Memory in reserved huge pages of every size. */
#define BTZ_METRIC_HOST_HUGE_PAGES 1079
/* host_huge_page_size_bytes: Default size of a huge page. */
#define BTZ_METRIC_HOST_HUGE_PAGE_SIZE 1080
/* host_memory_direct_map_4k_bytes: Kernel direct map in 4 KiB pages. */
#define BTZ_METRIC_HOST_MEMORY_DIRECT_MAP_4K 1081
/* host_memory_direct_map_2m_bytes: Kernel direct map in 2 MiB pages. */
#define BTZ_METRIC_HOST_MEMORY_DIRECT_MAP_2M 1082
/* host_memory_direct_map_1g_bytes: Kernel direct map in 1 GiB pages. */
#define BTZ_METRIC_HOST_MEMORY_DIRECT_MAP_1G 1083
/* host_huge_pages_pool: Huge pages of the default size in the pool. */
#define BTZ_METRIC_HOST_HUGE_PAGES_POOL 1084
/* host_huge_pages_free: Huge pages of the default size that nothing uses. */
#define BTZ_METRIC_HOST_HUGE_PAGES_FREE 1085
/* host_huge_pages_reserved: Free huge pages of the default size that are promised. */
#define BTZ_METRIC_HOST_HUGE_PAGES_RESERVED 1086
/* host_huge_pages_surplus: Huge pages of the default size beyond the pool's size. */
#define BTZ_METRIC_HOST_HUGE_PAGES_SURPLUS 1087
/* host_paged_in_bytes (counter): Read from block devices by the kernel's paging. */
#define BTZ_METRIC_HOST_PAGED_IN 1088
/* host_paged_out_bytes (counter): Written to block devices by the kernel's paging. */
#define BTZ_METRIC_HOST_PAGED_OUT 1089
/* host_swapped_in_bytes (counter): Read from swap. */
#define BTZ_METRIC_HOST_SWAPPED_IN 1090
/* host_swapped_out_bytes (counter): Written to swap. */
#define BTZ_METRIC_HOST_SWAPPED_OUT 1091
/* host_pages_allocated (counter): Pages allocated, all zones. */
#define BTZ_METRIC_HOST_PAGES_ALLOCATED 1092
/* host_pages_freed (counter): Pages freed. */
#define BTZ_METRIC_HOST_PAGES_FREED 1093
/* host_reclaim_stalls (counter): Allocations that had to reclaim memory first, all zones. */
#define BTZ_METRIC_HOST_RECLAIM_STALLS 1094
/* host_page_faults (counter): Page faults. */
#define BTZ_METRIC_HOST_PAGE_FAULTS 1095
/* host_page_faults_major (counter): Page faults that waited for a disk. */
#define BTZ_METRIC_HOST_PAGE_FAULTS_MAJOR 1096
/* host_pages_activated (counter): Pages moved to an active list. */
#define BTZ_METRIC_HOST_PAGES_ACTIVATED 1097
/* host_pages_deactivated (counter): Pages moved to an inactive list. */
#define BTZ_METRIC_HOST_PAGES_DEACTIVATED 1098
/* host_pages_refilled (counter): Active pages looked at by reclaim. */
#define BTZ_METRIC_HOST_PAGES_REFILLED 1099
/* host_pages_reused (counter): Copy-on-write faults that could keep the page. */
#define BTZ_METRIC_HOST_PAGES_REUSED 1100
/* host_pages_lazy_freed (counter): Pages freed after MADV_FREE. */
#define BTZ_METRIC_HOST_PAGES_LAZY_FREED 1101
/* host_pages_rotated (counter): Written pages moved to where reclaim takes them first. */
#define BTZ_METRIC_HOST_PAGES_ROTATED 1102
/* host_reclaim_scanned_kswapd (counter): Pages that background reclaim looked at. */
#define BTZ_METRIC_HOST_RECLAIM_SCANNED_KSWAPD 1103
/* host_reclaim_scanned_direct (counter): Pages that stalled allocations looked at. */
#define BTZ_METRIC_HOST_RECLAIM_SCANNED_DIRECT 1104
/* host_reclaim_scanned_khugepaged (counter): Pages that khugepaged's reclaim looked at. */
#define BTZ_METRIC_HOST_RECLAIM_SCANNED_KHUGEPAGED 1105
/* host_reclaim_scanned_proactive (counter): Pages that reclaim asked for by memory.reclaim looked at. */
#define BTZ_METRIC_HOST_RECLAIM_SCANNED_PROACTIVE 1106
/* host_reclaimed_kswapd (counter): Pages that background reclaim freed. */
#define BTZ_METRIC_HOST_RECLAIMED_KSWAPD 1107
/* host_reclaimed_direct (counter): Pages that stalled allocations freed. */
#define BTZ_METRIC_HOST_RECLAIMED_DIRECT 1108
/* host_reclaimed_khugepaged (counter): Pages that khugepaged's reclaim freed. */
#define BTZ_METRIC_HOST_RECLAIMED_KHUGEPAGED 1109
/* host_reclaimed_proactive (counter): Pages that reclaim asked for by memory.reclaim freed. */
#define BTZ_METRIC_HOST_RECLAIMED_PROACTIVE 1110
/* host_reclaim_scanned_anon (counter): Anonymous pages that reclaim looked at. */
#define BTZ_METRIC_HOST_RECLAIM_SCANNED_ANON 1111
/* host_reclaim_scanned_file (counter): File pages that reclaim looked at. */
#define BTZ_METRIC_HOST_RECLAIM_SCANNED_FILE 1112
/* host_reclaimed_anon (counter): Anonymous pages that reclaim freed. */
#define BTZ_METRIC_HOST_RECLAIMED_ANON 1113
/* host_reclaimed_file (counter): File pages that reclaim freed. */
#define BTZ_METRIC_HOST_RECLAIMED_FILE 1114
/* host_reclaim_throttled (counter): Stalled allocations that were put to sleep because of a shortage. */
#define BTZ_METRIC_HOST_RECLAIM_THROTTLED 1115
/* host_reclaim_node_failed (counter): Attempts to reclaim on the local node that freed nothing. */
#define BTZ_METRIC_HOST_RECLAIM_NODE_FAILED 1116
/* host_slabs_scanned (counter): Kernel objects that reclaim looked at. */
#define BTZ_METRIC_HOST_SLABS_SCANNED 1117
/* host_inodes_reclaimed (counter): Pages freed with their inodes by stalled allocations. */
#define BTZ_METRIC_HOST_INODES_RECLAIMED 1118
/* host_inodes_reclaimed_kswapd (counter): Pages freed with their inodes by background reclaim. */
#define BTZ_METRIC_HOST_INODES_RECLAIMED_KSWAPD 1119
/* host_kswapd_runs (counter): Times background reclaim ran. */
#define BTZ_METRIC_HOST_KSWAPD_RUNS 1120
/* host_kswapd_low_watermark_hits (counter): Times free memory fell below the low mark again right after reclaim. */
#define BTZ_METRIC_HOST_KSWAPD_LOW_WATERMARK_HITS 1121
/* host_kswapd_high_watermark_hits (counter): Times free memory fell below the high mark again right after reclaim. */
#define BTZ_METRIC_HOST_KSWAPD_HIGH_WATERMARK_HITS 1122
/* host_cache_drops (counter): Times somebody had the page cache dropped. */
#define BTZ_METRIC_HOST_CACHE_DROPS 1123
/* host_slab_drops (counter): Times somebody had kernel object caches dropped. */
#define BTZ_METRIC_HOST_SLAB_DROPS 1124
/* host_oom_kills (counter): Processes killed because memory ran out, in the host or a cgroup. */
#define BTZ_METRIC_HOST_OOM_KILLS 1125
/* host_refaults_anon (counter): Anonymous pages needed again soon after they were reclaimed. */
#define BTZ_METRIC_HOST_REFAULTS_ANON 1126
/* host_refaults_file (counter): File pages needed again soon after they were reclaimed: thrashing. */
#define BTZ_METRIC_HOST_REFAULTS_FILE 1127
/* host_refaults_activated_anon (counter): Refaulted anonymous pages that belong to the working set. */
#define BTZ_METRIC_HOST_REFAULTS_ACTIVATED_ANON 1128
/* host_refaults_activated_file (counter): Refaulted file pages that belong to the working set. */
#define BTZ_METRIC_HOST_REFAULTS_ACTIVATED_FILE 1129
/* host_shadow_nodes_reclaimed (counter): Page cache bookkeeping freed by reclaim. */
#define BTZ_METRIC_HOST_SHADOW_NODES_RECLAIMED 1130
/* host_reclaim_writes (counter): Pages that reclaim itself wrote out. */
#define BTZ_METRIC_HOST_RECLAIM_WRITES 1131
/* host_reclaim_marked (counter): Pages marked to be reclaimed once written. */
#define BTZ_METRIC_HOST_RECLAIM_MARKED 1132
/* host_dirtied_bytes (counter): File memory made dirty. */
#define BTZ_METRIC_HOST_DIRTIED 1133
/* host_written_back_bytes (counter): File memory written back. */
#define BTZ_METRIC_HOST_WRITTEN_BACK 1134
/* host_writeback_throttled_bytes (counter): Written back while reclaim waited for it. */
#define BTZ_METRIC_HOST_WRITEBACK_THROTTLED 1135
/* host_pages_pinned (counter): Pages pinned for devices: VFIO and io_uring. */
#define BTZ_METRIC_HOST_PAGES_PINNED 1136
/* host_pages_unpinned (counter): Pinned pages let go. */
#define BTZ_METRIC_HOST_PAGES_UNPINNED 1137
/* host_numa_hits (counter): Pages allocated on the node that was wanted. */
#define BTZ_METRIC_HOST_NUMA_HITS 1138
/* host_numa_misses (counter): Pages allocated on another node than the one wanted. */
#define BTZ_METRIC_HOST_NUMA_MISSES 1139
/* host_numa_foreign (counter): Pages wanted from a node that had none. */
#define BTZ_METRIC_HOST_NUMA_FOREIGN 1140
/* host_numa_local (counter): Pages allocated on the node of the CPU that asked. */
#define BTZ_METRIC_HOST_NUMA_LOCAL 1141
/* host_numa_other (counter): Pages allocated on another node than that of the CPU that asked. */
#define BTZ_METRIC_HOST_NUMA_OTHER 1142
/* host_numa_pte_updates (counter): Page table entries marked by NUMA balancing. */
#define BTZ_METRIC_HOST_NUMA_PTE_UPDATES 1143
/* host_numa_huge_pte_updates (counter): Huge page table entries marked by NUMA balancing. */
#define BTZ_METRIC_HOST_NUMA_HUGE_PTE_UPDATES 1144
/* host_numa_hint_faults (counter): Faults that NUMA balancing provoked. */
#define BTZ_METRIC_HOST_NUMA_HINT_FAULTS 1145
/* host_numa_hint_faults_local (counter): Such faults on memory that was local already. */
#define BTZ_METRIC_HOST_NUMA_HINT_FAULTS_LOCAL 1146
/* host_numa_pages_migrated (counter): Pages moved by NUMA balancing. */
#define BTZ_METRIC_HOST_NUMA_PAGES_MIGRATED 1147
/* host_pages_promoted (counter): Pages moved to faster memory. */
#define BTZ_METRIC_HOST_PAGES_PROMOTED 1148
/* host_pages_demoted_kswapd (counter): Pages moved to slower memory by background reclaim. */
#define BTZ_METRIC_HOST_PAGES_DEMOTED_KSWAPD 1149
/* host_pages_demoted_direct (counter): Pages moved to slower memory by stalled allocations. */
#define BTZ_METRIC_HOST_PAGES_DEMOTED_DIRECT 1150
/* host_pages_migrated (counter): Pages moved in memory. */
#define BTZ_METRIC_HOST_PAGES_MIGRATED 1151
/* host_pages_migrate_failed (counter): Pages that could not be moved in memory. */
#define BTZ_METRIC_HOST_PAGES_MIGRATE_FAILED 1152
/* host_compaction_stalls (counter): Allocations that had to compact memory first. */
#define BTZ_METRIC_HOST_COMPACTION_STALLS 1153
/* host_compaction_failed (counter): Such compactions that did not help. */
#define BTZ_METRIC_HOST_COMPACTION_FAILED 1154
/* host_compaction_succeeded (counter): Such compactions that helped. */
#define BTZ_METRIC_HOST_COMPACTION_SUCCEEDED 1155
/* host_compaction_scanned_migrate (counter): Pages compaction looked at to move. */
#define BTZ_METRIC_HOST_COMPACTION_SCANNED_MIGRATE 1156
/* host_compaction_scanned_free (counter): Pages compaction looked at to move to. */
#define BTZ_METRIC_HOST_COMPACTION_SCANNED_FREE 1157
/* host_compaction_isolated (counter): Pages compaction took off their lists. */
#define BTZ_METRIC_HOST_COMPACTION_ISOLATED 1158
/* host_compaction_daemon_wakes (counter): Times kcompactd was woken. */
#define BTZ_METRIC_HOST_COMPACTION_DAEMON_WAKES 1159
/* host_huge_pages_allocated (counter): Huge pages the pool got from the kernel. */
#define BTZ_METRIC_HOST_HUGE_PAGES_ALLOCATED 1160
/* host_huge_pages_alloc_failed (counter): Huge pages the pool wanted and did not get. */
#define BTZ_METRIC_HOST_HUGE_PAGES_ALLOC_FAILED 1161
/* host_unevictable_culled (counter): Pages found to be unevictable. */
#define BTZ_METRIC_HOST_UNEVICTABLE_CULLED 1162
/* host_unevictable_locked (counter): Pages locked with mlock. */
#define BTZ_METRIC_HOST_UNEVICTABLE_LOCKED 1163
/* host_thp_fault_allocated (counter): Faults that got a huge page. */
#define BTZ_METRIC_HOST_THP_FAULT_ALLOCATED 1164
/* host_thp_fault_fallbacks (counter): Faults that wanted a huge page and got small ones. */
#define BTZ_METRIC_HOST_THP_FAULT_FALLBACKS 1165
/* host_thp_collapsed (counter): Huge pages made of small ones by khugepaged. */
#define BTZ_METRIC_HOST_THP_COLLAPSED 1166
/* host_thp_collapse_failed (counter): Times khugepaged found no huge page to collapse into. */
#define BTZ_METRIC_HOST_THP_COLLAPSE_FAILED 1167
/* host_thp_split (counter): Huge pages split up. */
#define BTZ_METRIC_HOST_THP_SPLIT 1168
/* host_thp_split_failed (counter): Huge pages that could not be split up. */
#define BTZ_METRIC_HOST_THP_SPLIT_FAILED 1169
/* host_thp_split_mappings (counter): Mappings of huge pages split up. */
#define BTZ_METRIC_HOST_THP_SPLIT_MAPPINGS 1170
/* host_thp_zero_pages (counter): Huge zero pages allocated. */
#define BTZ_METRIC_HOST_THP_ZERO_PAGES 1171
/* host_thp_swapped_out (counter): Huge pages swapped out in one piece. */
#define BTZ_METRIC_HOST_THP_SWAPPED_OUT 1172
/* host_thp_swap_split (counter): Huge pages split up to be swapped out. */
#define BTZ_METRIC_HOST_THP_SWAP_SPLIT 1173
/* host_balloon_inflated (counter): Pages this host, being a guest, gave to its balloon. */
#define BTZ_METRIC_HOST_BALLOON_INFLATED 1174
/* host_balloon_deflated (counter): Pages this host, being a guest, took back from its balloon. */
#define BTZ_METRIC_HOST_BALLOON_DEFLATED 1175
/* host_swap_read_ahead (counter): Pages read ahead from swap. */
#define BTZ_METRIC_HOST_SWAP_READ_AHEAD 1176
/* host_swap_read_ahead_hits (counter): Pages read ahead from swap that were needed. */
#define BTZ_METRIC_HOST_SWAP_READ_AHEAD_HITS 1177
/* host_ksm_swap_in_copies (counter): Merged pages copied when they were swapped in. */
#define BTZ_METRIC_HOST_KSM_SWAP_IN_COPIES 1178
/* host_ksm_unmerged (counter): Merged pages copied because somebody wrote to them: also what a KSM side channel provokes. */
#define BTZ_METRIC_HOST_KSM_UNMERGED 1179
/* host_zswapped_in (counter): Pages read from zswap. */
#define BTZ_METRIC_HOST_ZSWAPPED_IN 1180
/* host_zswapped_out (counter): Pages stored in zswap. */
#define BTZ_METRIC_HOST_ZSWAPPED_OUT 1181
/* host_zswap_written_back (counter): Pages zswap gave on to the swap device. */
#define BTZ_METRIC_HOST_ZSWAP_WRITTEN_BACK 1182
/* host_direct_map_splits_2m (counter): 2 MiB pages of the kernel direct map split up. */
#define BTZ_METRIC_HOST_DIRECT_MAP_SPLITS_2M 1183
/* host_direct_map_splits_1g (counter): 1 GiB pages of the kernel direct map split up. */
#define BTZ_METRIC_HOST_DIRECT_MAP_SPLITS_1G 1184
/* host_dirty_threshold_bytes: Dirty memory at which writers are made to wait. */
#define BTZ_METRIC_HOST_DIRTY_THRESHOLD 1185
/* host_dirty_background_threshold_bytes: Dirty memory at which writeback starts. */
#define BTZ_METRIC_HOST_DIRTY_BACKGROUND_THRESHOLD 1186
/* host_isolated_anon: Anonymous pages off their lists for reclaim or compaction. */
#define BTZ_METRIC_HOST_ISOLATED_ANON 1187
/* host_isolated_file: File pages off their lists for reclaim or compaction. */
#define BTZ_METRIC_HOST_ISOLATED_FILE 1188
/* host_iommu_page_tables_bytes: Page tables of IOMMUs. */
#define BTZ_METRIC_HOST_IOMMU_PAGE_TABLES 1189
/* host_zsmalloc_bytes: Memory of zsmalloc pools (zram, zswap). */
#define BTZ_METRIC_HOST_ZSMALLOC 1190
/* host_pressure_cpu_some_10s_ratio: Share of ten seconds in which some task waited for a CPU. */
#define BTZ_METRIC_HOST_PRESSURE_CPU_SOME_10S 1191
/* host_pressure_cpu_some_60s_ratio: Share of a minute in which some task waited for a CPU. */
#define BTZ_METRIC_HOST_PRESSURE_CPU_SOME_60S 1192
/* host_pressure_cpu_some_300s_ratio: Share of five minutes in which some task waited for a CPU. */
#define BTZ_METRIC_HOST_PRESSURE_CPU_SOME_300S 1193
/* host_pressure_cpu_some_seconds (counter): Time in which some task waited for a CPU. */
#define BTZ_METRIC_HOST_PRESSURE_CPU_SOME 1194
/* host_pressure_cpu_full_10s_ratio: Share of ten seconds in which all non-idle tasks at once waited for a CPU. */
#define BTZ_METRIC_HOST_PRESSURE_CPU_FULL_10S 1195
/* host_pressure_cpu_full_60s_ratio: Share of a minute in which all non-idle tasks at once waited for a CPU. */
#define BTZ_METRIC_HOST_PRESSURE_CPU_FULL_60S 1196
/* host_pressure_cpu_full_300s_ratio: Share of five minutes in which all non-idle tasks at once waited for a CPU. */
#define BTZ_METRIC_HOST_PRESSURE_CPU_FULL_300S 1197
/* host_pressure_cpu_full_seconds (counter): Time in which all non-idle tasks at once waited for a CPU. */
#define BTZ_METRIC_HOST_PRESSURE_CPU_FULL 1198
/* host_pressure_memory_some_10s_ratio: Share of ten seconds in which some task waited for memory. */
#define BTZ_METRIC_HOST_PRESSURE_MEMORY_SOME_10S 1199
/* host_pressure_memory_some_60s_ratio: Share of a minute in which some task waited for memory. */
#define BTZ_METRIC_HOST_PRESSURE_MEMORY_SOME_60S 1200
/* host_pressure_memory_some_300s_ratio: Share of five minutes in which some task waited for memory. */
#define BTZ_METRIC_HOST_PRESSURE_MEMORY_SOME_300S 1201
/* host_pressure_memory_some_seconds (counter): Time in which some task waited for memory. */
#define BTZ_METRIC_HOST_PRESSURE_MEMORY_SOME 1202
/* host_pressure_memory_full_10s_ratio: Share of ten seconds in which all non-idle tasks at once waited for memory. */
#define BTZ_METRIC_HOST_PRESSURE_MEMORY_FULL_10S 1203
/* host_pressure_memory_full_60s_ratio: Share of a minute in which all non-idle tasks at once waited for memory. */
#define BTZ_METRIC_HOST_PRESSURE_MEMORY_FULL_60S 1204
/* host_pressure_memory_full_300s_ratio: Share of five minutes in which all non-idle tasks at once waited for memory. */
#define BTZ_METRIC_HOST_PRESSURE_MEMORY_FULL_300S 1205
/* host_pressure_memory_full_seconds (counter): Time in which all non-idle tasks at once waited for memory. */
#define BTZ_METRIC_HOST_PRESSURE_MEMORY_FULL 1206
/* host_pressure_io_some_10s_ratio: Share of ten seconds in which some task waited for I/O. */
#define BTZ_METRIC_HOST_PRESSURE_IO_SOME_10S 1207
/* host_pressure_io_some_60s_ratio: Share of a minute in which some task waited for I/O. */
#define BTZ_METRIC_HOST_PRESSURE_IO_SOME_60S 1208
/* host_pressure_io_some_300s_ratio: Share of five minutes in which some task waited for I/O. */
#define BTZ_METRIC_HOST_PRESSURE_IO_SOME_300S 1209
/* host_pressure_io_some_seconds (counter): Time in which some task waited for I/O. */
#define BTZ_METRIC_HOST_PRESSURE_IO_SOME 1210
/* host_pressure_io_full_10s_ratio: Share of ten seconds in which all non-idle tasks at once waited for I/O. */
#define BTZ_METRIC_HOST_PRESSURE_IO_FULL_10S 1211
/* host_pressure_io_full_60s_ratio: Share of a minute in which all non-idle tasks at once waited for I/O. */
#define BTZ_METRIC_HOST_PRESSURE_IO_FULL_60S 1212
/* host_pressure_io_full_300s_ratio: Share of five minutes in which all non-idle tasks at once waited for I/O. */
#define BTZ_METRIC_HOST_PRESSURE_IO_FULL_300S 1213
/* host_pressure_io_full_seconds (counter): Time in which all non-idle tasks at once waited for I/O. */
#define BTZ_METRIC_HOST_PRESSURE_IO_FULL 1214
/* host_pressure_irq_full_10s_ratio: Share of ten seconds in which all non-idle tasks at once waited for interrupt handlers. */
#define BTZ_METRIC_HOST_PRESSURE_IRQ_FULL_10S 1215
/* host_pressure_irq_full_60s_ratio: Share of a minute in which all non-idle tasks at once waited for interrupt handlers. */
#define BTZ_METRIC_HOST_PRESSURE_IRQ_FULL_60S 1216
/* host_pressure_irq_full_300s_ratio: Share of five minutes in which all non-idle tasks at once waited for interrupt handlers. */
#define BTZ_METRIC_HOST_PRESSURE_IRQ_FULL_300S 1217
/* host_pressure_irq_full_seconds (counter): Time in which all non-idle tasks at once waited for interrupt handlers. */
#define BTZ_METRIC_HOST_PRESSURE_IRQ_FULL 1218
/* host_run_seconds (counter): Time tasks ran, all CPUs. */
#define BTZ_METRIC_HOST_RUN 1219
/* host_run_delay_seconds (counter): Time tasks were runnable but waited for a CPU, all CPUs. */
#define BTZ_METRIC_HOST_RUN_DELAY 1220
/* host_timeslices (counter): Times a task was put on a CPU, all CPUs. */
#define BTZ_METRIC_HOST_TIMESLICES 1221
/* host_files_open: Open files of the whole host. */
#define BTZ_METRIC_HOST_FILES_OPEN 1222
/* host_files_max: Files that may be open on the whole host. */
#define BTZ_METRIC_HOST_FILES_MAX 1223
/* host_inodes: Inodes in memory. */
#define BTZ_METRIC_HOST_INODES 1224
/* host_inodes_free: Inodes in memory that nothing uses. */
#define BTZ_METRIC_HOST_INODES_FREE 1225
/* host_dentries: Directory entries in memory. */
#define BTZ_METRIC_HOST_DENTRIES 1226
/* host_dentries_unused: Directory entries in memory that nothing uses. */
#define BTZ_METRIC_HOST_DENTRIES_UNUSED 1227
/* host_dentries_negative: Directory entries in memory for files that do not exist. */
#define BTZ_METRIC_HOST_DENTRIES_NEGATIVE 1228
/* host_threads_max: Threads that may exist. */
#define BTZ_METRIC_HOST_THREADS_MAX 1229
/* host_pid_max: PIDs are given out below this number. */
#define BTZ_METRIC_HOST_PID_MAX 1230
/* host_entropy_available: Entropy the kernel's random number generator believes to have; 256 since 5.18. */
#define BTZ_METRIC_HOST_ENTROPY 1231
/* host_conntrack_entries: Connections tracked now. */
#define BTZ_METRIC_HOST_CONNTRACK_ENTRIES 1232
/* host_conntrack_max: Connections that may be tracked. */
#define BTZ_METRIC_HOST_CONNTRACK_MAX 1233
/* host_conntrack_found (counter): Lookups that found a connection. */
#define BTZ_METRIC_HOST_CONNTRACK_FOUND 1234
/* host_conntrack_invalid (counter): Packets that could not be tracked. */
#define BTZ_METRIC_HOST_CONNTRACK_INVALID 1235
/* host_conntrack_inserted (counter): Connections entered. */
#define BTZ_METRIC_HOST_CONNTRACK_INSERTED 1236
/* host_conntrack_insert_failed (counter): Connections that could not be entered. */
#define BTZ_METRIC_HOST_CONNTRACK_INSERT_FAILED 1237
/* host_conntrack_dropped (counter): Packets dropped because tracking failed: the table was full or memory ran out. */
#define BTZ_METRIC_HOST_CONNTRACK_DROPPED 1238
/* host_conntrack_early_dropped (counter): Connections thrown out to make room. */
#define BTZ_METRIC_HOST_CONNTRACK_EARLY_DROPPED 1239
/* host_conntrack_search_restarts (counter): Lookups restarted because the table was resized. */
#define BTZ_METRIC_HOST_CONNTRACK_SEARCH_RESTARTS 1240
/* host_conntrack_clashes_resolved (counter): Clashes of two packets that opened one connection, resolved. */
#define BTZ_METRIC_HOST_CONNTRACK_CLASHES_RESOLVED 1241
/* host_conntrack_chains_too_long (counter): Connections refused because a hash chain had grown too long: also what a flood of crafted packets does. */
#define BTZ_METRIC_HOST_CONNTRACK_CHAINS_TOO_LONG 1242
/* host_ksm_state: Kernel same-page merging: 0 stopped, 1 runs, 2 stopped and unmerged. */
#define BTZ_METRIC_HOST_KSM_STATE 1243
/* host_ksm_pages_shared: Merged pages in use. */
#define BTZ_METRIC_HOST_KSM_PAGES_SHARED 1244
/* host_ksm_pages_sharing: Further pages that share them: what was saved. */
#define BTZ_METRIC_HOST_KSM_PAGES_SHARING 1245
/* host_ksm_pages_unshared: Pages that have no equal yet but are looked at again. */
#define BTZ_METRIC_HOST_KSM_PAGES_UNSHARED 1246
/* host_ksm_pages_volatile: Pages that change too fast to be merged. */
#define BTZ_METRIC_HOST_KSM_PAGES_VOLATILE 1247
/* host_ksm_pages_scanned (counter): Pages looked at. */
#define BTZ_METRIC_HOST_KSM_PAGES_SCANNED 1248
/* host_ksm_pages_skipped (counter): Pages that smart scan left out. */
#define BTZ_METRIC_HOST_KSM_PAGES_SKIPPED 1249
/* host_ksm_zero_pages: Empty pages merged with the zero page. */
#define BTZ_METRIC_HOST_KSM_ZERO_PAGES 1250
/* host_ksm_full_scans (counter): Times all mergeable memory was looked at. */
#define BTZ_METRIC_HOST_KSM_FULL_SCANS 1251
/* host_ksm_chains: Chains of merged pages with equal content. */
#define BTZ_METRIC_HOST_KSM_CHAINS 1252
/* host_ksm_duplicates: Merged pages kept in such chains. */
#define BTZ_METRIC_HOST_KSM_DUPLICATES 1253
/* host_ksm_profit_bytes: Memory saved, less what merging itself takes; negative when it does not pay. */
#define BTZ_METRIC_HOST_KSM_PROFIT 1254
/* host_tainted: The kernel's taint mask: see Documentation/admin-guide/tainted-kernels.rst. */
#define BTZ_METRIC_HOST_TAINTED 1255
/* host_oopses (counter): Kernel oopses since boot. */
#define BTZ_METRIC_HOST_OOPSES 1256
/* host_kernel_warnings (counter): Kernel warnings since boot. */
#define BTZ_METRIC_HOST_WARNINGS 1257
/* host_hung_tasks (counter): Tasks found hung since boot. */
#define BTZ_METRIC_HOST_HUNG_TASKS 1258
/* host_soft_lockups (counter): Soft lockups since boot: a CPU that did not schedule. */
#define BTZ_METRIC_HOST_SOFT_LOCKUPS 1259
/* host_hard_lockups (counter): Hard lockups since boot: a CPU that took no interrupts. */
#define BTZ_METRIC_HOST_HARD_LOCKUPS 1260
/* host_rcu_stalls (counter): RCU stalls since boot. */
#define BTZ_METRIC_HOST_RCU_STALLS 1261
/* host_memory_errors_corrected (counter): Memory errors that hardware corrected (EDAC), all controllers. */
#define BTZ_METRIC_HOST_MEMORY_ERRORS_CORRECTED 1262
/* host_memory_errors_uncorrected (counter): Memory errors that hardware could not correct (EDAC), all controllers. */
#define BTZ_METRIC_HOST_MEMORY_ERRORS_UNCORRECTED 1263
/* host_interrupts_device (counter): Interrupts of numbered lines (devices), all CPUs. */
#define BTZ_METRIC_HOST_INTERRUPTS_DEVICE 1264
/* host_interrupts_spurious (counter): Interrupts that nobody had raised, all CPUs. */
#define BTZ_METRIC_HOST_INTERRUPTS_SPURIOUS 1265
/* host_interrupts_errors (counter): Interrupts that nobody handled, and errors of the interrupt controller. */
#define BTZ_METRIC_HOST_INTERRUPTS_ERRORS 1266
/* host_interrupts_misrouted (counter): Interrupts that arrived at the wrong controller pin. */
#define BTZ_METRIC_HOST_INTERRUPTS_MISROUTED 1267
/* host_machine_checks (counter): Machine check exceptions, all CPUs. */
#define BTZ_METRIC_HOST_MACHINE_CHECKS 1268
/* host_machine_check_polls (counter): Times the machine check banks were polled, all CPUs. */
#define BTZ_METRIC_HOST_MACHINE_CHECK_POLLS 1269
/* host_interrupts_cpu_share_max_ratio: Share of the device interrupts since the reading before that one CPU took, the most burdened one: near 1 with many interrupts is an affinity storm. */
#define BTZ_METRIC_HOST_INTERRUPTS_CPU_SHARE 1270
/* host_interrupts_line_share_max_ratio: Share of the device interrupts since the reading before that one line raised, the busiest one. */
#define BTZ_METRIC_HOST_INTERRUPTS_LINE_SHARE 1271
/* host_interrupts_line_busiest: Number of the line that raised most interrupts since the reading before. */
#define BTZ_METRIC_HOST_INTERRUPTS_LINE_BUSIEST 1272
/* host_interrupts_line_rate_max_hertz: Interrupts a second of the busiest line since the reading before. */
#define BTZ_METRIC_HOST_INTERRUPTS_LINE_RATE 1273
/* host_temperature_max_celsius: Temperature of the hottest thermal zone. */
#define BTZ_METRIC_HOST_TEMPERATURE 1274
/* host_core_throttles (counter): Times a core was slowed down because of heat, all cores (of every hyperthread one). */
#define BTZ_METRIC_HOST_CORE_THROTTLES 1275
/* host_package_throttles (counter): Times a package was slowed down because of heat, all packages. */
#define BTZ_METRIC_HOST_PACKAGE_THROTTLES 1276
/* host_energy_packages_joules (counter): Energy all processor packages used, counted since the agent first read it. */
#define BTZ_METRIC_HOST_ENERGY_PACKAGES 1277
/* host_energy_dram_joules (counter): Energy memory used, counted since the agent first read it. */
#define BTZ_METRIC_HOST_ENERGY_DRAM 1278
/* host_clock_source: The clock source in use: 1 tsc, 2 kvm-clock, 3 hpet, 4 acpi_pm, 5 hyperv, 6 xen, 7 arch_sys_counter, 8 jiffies, 0 another one. */
#define BTZ_METRIC_HOST_CLOCK_SOURCE 1279
/* host_clock_source_changes (counter): Times the clock source was seen to change: the kernel gives up an unstable tsc. */
#define BTZ_METRIC_HOST_CLOCK_SOURCE_CHANGES 1280
/* host_clock_steps (counter): Times the wall clock jumped by more than 100 ms against the monotonic clock between two ticks. */
#define BTZ_METRIC_HOST_CLOCK_STEPS 1281
/* host_clock_step_last_seconds: How far the wall clock jumped the last time; negative is back. 0 before the first jump. */
#define BTZ_METRIC_HOST_CLOCK_STEP_LAST 1282
/* host_perf_context_switches (counter): Counted by perf events on all CPUs since the agent started: Context switches. */
#define BTZ_METRIC_HOST_PERF_CONTEXT_SWITCHES 1283
/* host_perf_migrations (counter): Counted by perf events on all CPUs since the agent started: Tasks moved to another CPU. */
#define BTZ_METRIC_HOST_PERF_MIGRATIONS 1284
/* host_perf_page_faults_minor (counter): Counted by perf events on all CPUs since the agent started: Page faults that needed no disk. */
#define BTZ_METRIC_HOST_PERF_PAGE_FAULTS_MINOR 1285
/* host_perf_page_faults_major (counter): Counted by perf events on all CPUs since the agent started: Page faults that waited for a disk. */
#define BTZ_METRIC_HOST_PERF_PAGE_FAULTS_MAJOR 1286
/* host_perf_alignment_faults (counter): Counted by perf events on all CPUs since the agent started: Unaligned accesses that the kernel mended. */
#define BTZ_METRIC_HOST_PERF_ALIGNMENT_FAULTS 1287
/* host_perf_emulation_faults (counter): Counted by perf events on all CPUs since the agent started: Instructions that the kernel emulated. */
#define BTZ_METRIC_HOST_PERF_EMULATION_FAULTS 1288
/* host_perf_cycles (counter): Counted by perf events on all CPUs since the agent started: CPU cycles. */
#define BTZ_METRIC_HOST_PERF_CYCLES 1289
/* host_perf_instructions (counter): Counted by perf events on all CPUs since the agent started: Instructions completed. */
#define BTZ_METRIC_HOST_PERF_INSTRUCTIONS 1290
/* host_perf_cache_references (counter): Counted by perf events on all CPUs since the agent started: Accesses to the last-level cache. */
#define BTZ_METRIC_HOST_PERF_CACHE_REFERENCES 1291
/* host_perf_cache_misses (counter): Counted by perf events on all CPUs since the agent started: Misses of the last-level cache. */
#define BTZ_METRIC_HOST_PERF_CACHE_MISSES 1292
/* host_perf_branch_misses (counter): Counted by perf events on all CPUs since the agent started: Branches predicted wrongly. */
#define BTZ_METRIC_HOST_PERF_BRANCH_MISSES 1293
/* host_perf_kvm_exits (counter): Counted by perf events on all CPUs since the agent started: VM exits (tracepoint kvm:kvm_exit). */
#define BTZ_METRIC_HOST_PERF_KVM_EXITS 1294
/* host_perf_kvm_entries (counter): Counted by perf events on all CPUs since the agent started: VM entries (tracepoint kvm:kvm_entry). */
#define BTZ_METRIC_HOST_PERF_KVM_ENTRIES 1295
/* host_perf_kvm_page_faults (counter): Counted by perf events on all CPUs since the agent started: Guest page faults KVM handled (kvm:kvm_page_fault). */
#define BTZ_METRIC_HOST_PERF_KVM_PAGE_FAULTS 1296
/* host_perf_kvm_msrs (counter): Counted by perf events on all CPUs since the agent started: Guest accesses to model-specific registers (kvm:kvm_msr). */
#define BTZ_METRIC_HOST_PERF_KVM_MSRS 1297
/* host_perf_kvm_port_io (counter): Counted by perf events on all CPUs since the agent started: Guest accesses to I/O ports (kvm:kvm_pio). */
#define BTZ_METRIC_HOST_PERF_KVM_PORT_IO 1298
/* host_perf_kvm_mmio (counter): Counted by perf events on all CPUs since the agent started: Guest accesses to emulated devices' memory (kvm:kvm_mmio). */
#define BTZ_METRIC_HOST_PERF_KVM_MMIO 1299
/* host_perf_kvm_hypercalls (counter): Counted by perf events on all CPUs since the agent started: Hypercalls (kvm:kvm_hypercall). */
#define BTZ_METRIC_HOST_PERF_KVM_HYPERCALLS 1300
/* host_perf_kvm_cpuid (counter): Counted by perf events on all CPUs since the agent started: Guest CPUID instructions (kvm:kvm_cpuid). */
#define BTZ_METRIC_HOST_PERF_KVM_CPUID 1301
/* host_perf_kvm_injections (counter): Counted by perf events on all CPUs since the agent started: Interrupts injected into guests (kvm:kvm_inj_virq). */
#define BTZ_METRIC_HOST_PERF_KVM_INJECTIONS 1302
/* host_perf_kvm_exceptions (counter): Counted by perf events on all CPUs since the agent started: Exceptions injected into guests (kvm:kvm_inj_exception). */
#define BTZ_METRIC_HOST_PERF_KVM_EXCEPTIONS 1303
/* host_perf_kvm_emulations (counter): Counted by perf events on all CPUs since the agent started: Guest instructions emulated (kvm:kvm_emulate_insn). */
#define BTZ_METRIC_HOST_PERF_KVM_EMULATIONS 1304
/* host_perf_kvm_nested_exits (counter): Counted by perf events on all CPUs since the agent started: VM exits of nested guests (kvm:kvm_nested_vmexit). */
#define BTZ_METRIC_HOST_PERF_KVM_NESTED_EXITS 1305
/* host_tcp_syn_cookies_sent (counter): SYN cookies sent: a listen queue was full, perhaps a SYN flood. */
#define BTZ_METRIC_HOST_TCP_SYN_COOKIES_SENT 1306
/* host_tcp_syn_cookies_failed (counter): SYN cookies that came back wrong. */
#define BTZ_METRIC_HOST_TCP_SYN_COOKIES_FAILED 1307
/* host_tcp_listen_overflows (counter): Connections refused because an accept queue was full. */
#define BTZ_METRIC_HOST_TCP_LISTEN_OVERFLOWS 1308
/* host_tcp_listen_drops (counter): Connection attempts dropped by listeners for any reason. */
#define BTZ_METRIC_HOST_TCP_LISTEN_DROPS 1309
/* host_tcp_prunes (counter): Receive queues pruned because a socket's memory ran out. */
#define BTZ_METRIC_HOST_TCP_PRUNES 1310
/* host_tcp_receive_pruned (counter): Packets dropped by pruning. */
#define BTZ_METRIC_HOST_TCP_RECEIVE_PRUNED 1311
/* host_tcp_backlog_drops (counter): Packets dropped because a socket's backlog was full. */
#define BTZ_METRIC_HOST_TCP_BACKLOG_DROPS 1312
/* host_tcp_receive_queue_drops (counter): Packets dropped because a receive queue was full. */
#define BTZ_METRIC_HOST_TCP_RECEIVE_QUEUE_DROPS 1313
/* host_tcp_zero_window_drops (counter): Packets dropped that came although the window was closed. */
#define BTZ_METRIC_HOST_TCP_ZERO_WINDOW_DROPS 1314
/* host_tcp_out_of_order (counter): Packets that came out of order. */
#define BTZ_METRIC_HOST_TCP_OUT_OF_ORDER 1315
/* host_tcp_timeouts (counter): Retransmission timeouts. */
#define BTZ_METRIC_HOST_TCP_TIMEOUTS 1316
/* host_tcp_retransmits_lost (counter): Retransmitted packets lost again. */
#define BTZ_METRIC_HOST_TCP_RETRANSMITS_LOST 1317
/* host_tcp_retransmits_fast (counter): Fast retransmissions. */
#define BTZ_METRIC_HOST_TCP_RETRANSMITS_FAST 1318
/* host_tcp_syn_retransmits (counter): SYN packets sent again. */
#define BTZ_METRIC_HOST_TCP_SYN_RETRANSMITS 1319
/* host_tcp_aborts_memory (counter): Connections ended because memory ran out. */
#define BTZ_METRIC_HOST_TCP_ABORTS_MEMORY 1320
/* host_tcp_aborts_timeout (counter): Connections ended after a timeout. */
#define BTZ_METRIC_HOST_TCP_ABORTS_TIMEOUT 1321
/* host_tcp_aborts_failed (counter): Connections that could not even be reset. */
#define BTZ_METRIC_HOST_TCP_ABORTS_FAILED 1322
/* host_tcp_memory_pressures (counter): Times TCP came under memory pressure. */
#define BTZ_METRIC_HOST_TCP_MEMORY_PRESSURES 1323
/* host_tcp_request_queue_cookies (counter): Requests answered with a cookie because the queue was full. */
#define BTZ_METRIC_HOST_TCP_REQUEST_QUEUE_COOKIES 1324
/* host_tcp_request_queue_drops (counter): Requests dropped because the queue was full. */
#define BTZ_METRIC_HOST_TCP_REQUEST_QUEUE_DROPS 1325
/* host_tcp_time_wait_overflows (counter): Closed connections forgotten early because there were too many. */
#define BTZ_METRIC_HOST_TCP_TIME_WAIT_OVERFLOWS 1326
/* host_tcp_challenge_acks (counter): Challenge ACKs sent: somebody guesses at connections. */
#define BTZ_METRIC_HOST_TCP_CHALLENGE_ACKS 1327
/* host_tcp_md5_failures (counter): Packets with a wrong MD5 signature. */
#define BTZ_METRIC_HOST_TCP_MD5_FAILURES 1328
/* host_ip_reverse_path_drops (counter): Packets dropped by reverse path filtering: a forged sender. */
#define BTZ_METRIC_HOST_IP_REVERSE_PATH_DROPS 1329
/* host_ip_memory_drops (counter): Packets dropped because only the emergency memory reserve was left. */
#define BTZ_METRIC_HOST_IP_MEMORY_DROPS 1330
/* host_ip_in_no_routes (counter): Packets received for which there was no route. */
#define BTZ_METRIC_HOST_IP_IN_NO_ROUTES 1331
/* host_ip_in_congested (counter): Packets received with the congestion mark. */
#define BTZ_METRIC_HOST_IP_IN_CONGESTED 1332
/* host_ip_in_bytes (counter): Received in IPv4 packets. */
#define BTZ_METRIC_HOST_IP_IN 1333
/* host_ip_out_bytes (counter): Sent in IPv4 packets. */
#define BTZ_METRIC_HOST_IP_OUT 1334
/* host_ip_in_packets (counter): IPv4 packets received. */
#define BTZ_METRIC_HOST_IP_IN_PACKETS 1335
/* host_ip_in_header_errors (counter): IPv4 packets with a bad header. */
#define BTZ_METRIC_HOST_IP_IN_HEADER_ERRORS 1336
/* host_ip_in_address_errors (counter): IPv4 packets for an address that is not here. */
#define BTZ_METRIC_HOST_IP_IN_ADDRESS_ERRORS 1337
/* host_ip_forwarded (counter): IPv4 packets forwarded. */
#define BTZ_METRIC_HOST_IP_FORWARDED 1338
/* host_ip_in_discarded (counter): IPv4 packets received and dropped for want of memory. */
#define BTZ_METRIC_HOST_IP_IN_DISCARDED 1339
/* host_ip_out_packets (counter): IPv4 packets sent from here. */
#define BTZ_METRIC_HOST_IP_OUT_PACKETS 1340
/* host_ip_out_discarded (counter): IPv4 packets dropped on the way out for want of memory. */
#define BTZ_METRIC_HOST_IP_OUT_DISCARDED 1341
/* host_ip_out_no_routes (counter): IPv4 packets without a route. */
#define BTZ_METRIC_HOST_IP_OUT_NO_ROUTES 1342
/* host_ip_reassembly_failed (counter): IPv4 fragments that could not be put together. */
#define BTZ_METRIC_HOST_IP_REASSEMBLY_FAILED 1343
/* host_ip_fragment_failed (counter): IPv4 packets that had to be but could not be cut. */
#define BTZ_METRIC_HOST_IP_FRAGMENT_FAILED 1344
/* host_icmp_in (counter): ICMP messages received. */
#define BTZ_METRIC_HOST_ICMP_IN 1345
/* host_icmp_in_errors (counter): Bad ICMP messages received. */
#define BTZ_METRIC_HOST_ICMP_IN_ERRORS 1346
/* host_icmp_out (counter): ICMP messages sent. */
#define BTZ_METRIC_HOST_ICMP_OUT 1347
/* host_tcp_opened_active (counter): Connections opened from here. */
#define BTZ_METRIC_HOST_TCP_OPENED_ACTIVE 1348
/* host_tcp_opened_passive (counter): Connections accepted. */
#define BTZ_METRIC_HOST_TCP_OPENED_PASSIVE 1349
/* host_tcp_attempts_failed (counter): Connection attempts that failed. */
#define BTZ_METRIC_HOST_TCP_ATTEMPTS_FAILED 1350
/* host_tcp_resets (counter): Established connections that were reset. */
#define BTZ_METRIC_HOST_TCP_RESETS 1351
/* host_tcp_established: Connections established now. */
#define BTZ_METRIC_HOST_TCP_ESTABLISHED 1352
/* host_tcp_in_segments (counter): TCP segments received. */
#define BTZ_METRIC_HOST_TCP_IN_SEGMENTS 1353
/* host_tcp_out_segments (counter): TCP segments sent. */
#define BTZ_METRIC_HOST_TCP_OUT_SEGMENTS 1354
/* host_tcp_retransmits (counter): TCP segments sent again. */
#define BTZ_METRIC_HOST_TCP_RETRANSMITS 1355
/* host_tcp_in_errors (counter): Bad TCP segments received. */
#define BTZ_METRIC_HOST_TCP_IN_ERRORS 1356
/* host_tcp_out_resets (counter): TCP resets sent. */
#define BTZ_METRIC_HOST_TCP_OUT_RESETS 1357
/* host_tcp_checksum_errors (counter): TCP segments with a wrong checksum. */
#define BTZ_METRIC_HOST_TCP_CHECKSUM_ERRORS 1358
/* host_udp_in (counter): UDP datagrams received. */
#define BTZ_METRIC_HOST_UDP_IN 1359
/* host_udp_no_ports (counter): UDP datagrams for a closed port. */
#define BTZ_METRIC_HOST_UDP_NO_PORTS 1360
/* host_udp_in_errors (counter): UDP datagrams that could not be delivered. */
#define BTZ_METRIC_HOST_UDP_IN_ERRORS 1361
/* host_udp_out (counter): UDP datagrams sent. */
#define BTZ_METRIC_HOST_UDP_OUT 1362
/* host_udp_receive_buffer_drops (counter): UDP datagrams dropped because a receive buffer was full. */
#define BTZ_METRIC_HOST_UDP_RECEIVE_BUFFER_DROPS 1363
/* host_udp_send_buffer_drops (counter): UDP datagrams dropped because a send buffer was full. */
#define BTZ_METRIC_HOST_UDP_SEND_BUFFER_DROPS 1364
/* host_udp_checksum_errors (counter): UDP datagrams with a wrong checksum. */
#define BTZ_METRIC_HOST_UDP_CHECKSUM_ERRORS 1365
/* host_sockets: Sockets of every kind. */
#define BTZ_METRIC_HOST_SOCKETS 1366
/* host_tcp_sockets: TCP sockets over IPv4. */
#define BTZ_METRIC_HOST_TCP_SOCKETS 1367
/* host_tcp_sockets_orphaned: TCP sockets that no process holds. */
#define BTZ_METRIC_HOST_TCP_SOCKETS_ORPHANED 1368
/* host_tcp_sockets_time_wait: TCP sockets that wait after closing. */
#define BTZ_METRIC_HOST_TCP_SOCKETS_TIME_WAIT 1369
/* host_tcp_sockets_allocated: TCP sockets in memory. */
#define BTZ_METRIC_HOST_TCP_SOCKETS_ALLOCATED 1370
/* host_tcp_memory_bytes: Memory TCP takes for buffers. */
#define BTZ_METRIC_HOST_TCP_MEMORY 1371
/* host_udp_sockets: UDP sockets over IPv4. */
#define BTZ_METRIC_HOST_UDP_SOCKETS 1372
/* host_udp_memory_bytes: Memory UDP takes for buffers. */
#define BTZ_METRIC_HOST_UDP_MEMORY 1373
/* host_raw_sockets: Raw sockets over IPv4: who sniffs or forges needs one. */
#define BTZ_METRIC_HOST_RAW_SOCKETS 1374
/* host_ip_fragment_queues: IPv4 packets waiting for their fragments. */
#define BTZ_METRIC_HOST_IP_FRAGMENT_QUEUES 1375
/* host_ip_fragment_memory_bytes: Memory of such fragments. */
#define BTZ_METRIC_HOST_IP_FRAGMENT_MEMORY 1376
/* host_tcp6_sockets: TCP sockets over IPv6. */
#define BTZ_METRIC_HOST_TCP6_SOCKETS 1377
/* host_udp6_sockets: UDP sockets over IPv6. */
#define BTZ_METRIC_HOST_UDP6_SOCKETS 1378
/* host_raw6_sockets: Raw sockets over IPv6. */
#define BTZ_METRIC_HOST_RAW6_SOCKETS 1379

/* Metrics of scope "cpu". */
/* cpu_user_seconds (counter): Time this CPU spent in user code, guests included. */
#define BTZ_METRIC_CPU_USER 2000
/* cpu_nice_seconds (counter): Time this CPU spent in user code of lowered priority, such guests included. */
#define BTZ_METRIC_CPU_NICE 2001
/* cpu_system_seconds (counter): Time this CPU spent in the kernel. */
#define BTZ_METRIC_CPU_SYSTEM 2002
/* cpu_idle_seconds (counter): Time this CPU had nothing to do. */
#define BTZ_METRIC_CPU_IDLE 2003
/* cpu_iowait_seconds (counter): Idle time with a disk request under way that was started here; a hint only. */
#define BTZ_METRIC_CPU_IOWAIT 2004
/* cpu_irq_seconds (counter): Time this CPU spent in interrupt handlers. */
#define BTZ_METRIC_CPU_IRQ 2005
/* cpu_softirq_seconds (counter): Time this CPU spent in soft interrupts. */
#define BTZ_METRIC_CPU_SOFTIRQ 2006
/* cpu_steal_seconds (counter): Time a hypervisor below this host ran something else. */
#define BTZ_METRIC_CPU_STEAL 2007
/* cpu_guest_seconds (counter): Time this CPU ran guests; part of user time. */
#define BTZ_METRIC_CPU_GUEST 2008
/* cpu_guest_nice_seconds (counter): Time this CPU ran guests of lowered priority; part of nice time. */
#define BTZ_METRIC_CPU_GUEST_NICE 2009
/* cpu_softirqs_hi (counter): Soft interrupts for high-priority tasklets on this CPU. */
#define BTZ_METRIC_CPU_SOFTIRQS_HI 2010
/* cpu_softirqs_timer (counter): Soft interrupts for timers on this CPU. */
#define BTZ_METRIC_CPU_SOFTIRQS_TIMER 2011
/* cpu_softirqs_net_tx (counter): Soft interrupts for network transmission on this CPU. */
#define BTZ_METRIC_CPU_SOFTIRQS_NET_TX 2012
/* cpu_softirqs_net_rx (counter): Soft interrupts for network reception on this CPU. */
#define BTZ_METRIC_CPU_SOFTIRQS_NET_RX 2013
/* cpu_softirqs_block (counter): Soft interrupts for block device completion on this CPU. */
#define BTZ_METRIC_CPU_SOFTIRQS_BLOCK 2014
/* cpu_softirqs_irq_poll (counter): Soft interrupts for polled block device completion on this CPU. */
#define BTZ_METRIC_CPU_SOFTIRQS_IRQ_POLL 2015
/* cpu_softirqs_tasklet (counter): Soft interrupts for tasklets on this CPU. */
#define BTZ_METRIC_CPU_SOFTIRQS_TASKLET 2016
/* cpu_softirqs_sched (counter): Soft interrupts for scheduler balancing on this CPU. */
#define BTZ_METRIC_CPU_SOFTIRQS_SCHED 2017
/* cpu_softirqs_hrtimer (counter): Soft interrupts for high-resolution timers on this CPU. */
#define BTZ_METRIC_CPU_SOFTIRQS_HRTIMER 2018
/* cpu_softirqs_rcu (counter): Soft interrupts for read-copy-update callbacks on this CPU. */
#define BTZ_METRIC_CPU_SOFTIRQS_RCU 2019
/* cpu_interrupts (counter): Interrupts of every kind this CPU handled. */
#define BTZ_METRIC_CPU_INTERRUPTS 2020
/* cpu_interrupts_device (counter): Interrupts of numbered lines (devices) this CPU handled. */
#define BTZ_METRIC_CPU_INTERRUPTS_DEVICE 2021
/* cpu_interrupts_timer (counter): Local timer interrupts (line LOC). */
#define BTZ_METRIC_CPU_INTERRUPTS_TIMER 2022
/* cpu_interrupts_reschedule (counter): Rescheduling interrupts: another CPU woke something here (line RES). */
#define BTZ_METRIC_CPU_INTERRUPTS_RESCHEDULE 2023
/* cpu_interrupts_call (counter): Function call interrupts from other CPUs (line CAL). */
#define BTZ_METRIC_CPU_INTERRUPTS_CALL 2024
/* cpu_interrupts_tlb_shootdown (counter): Interrupts to flush translations, sent by other CPUs (line TLB). */
#define BTZ_METRIC_CPU_INTERRUPTS_TLB_SHOOTDOWN 2025
/* cpu_interrupts_nmi (counter): Non-maskable interrupts (line NMI). */
#define BTZ_METRIC_CPU_INTERRUPTS_NMI 2026
/* cpu_interrupts_perf (counter): Performance monitoring interrupts (line PMI). */
#define BTZ_METRIC_CPU_INTERRUPTS_PERF 2027
/* cpu_interrupts_irq_work (counter): Interrupts this CPU sent itself for deferred work (line IWI). */
#define BTZ_METRIC_CPU_INTERRUPTS_IRQ_WORK 2028
/* cpu_interrupts_spurious (counter): Interrupts nobody had raised (line SPU). */
#define BTZ_METRIC_CPU_INTERRUPTS_SPURIOUS 2029
/* cpu_interrupts_thermal (counter): Thermal event interrupts (line TRM). */
#define BTZ_METRIC_CPU_INTERRUPTS_THERMAL 2030
/* cpu_interrupts_threshold (counter): Machine check threshold interrupts (line THR). */
#define BTZ_METRIC_CPU_INTERRUPTS_THRESHOLD 2031
/* cpu_interrupts_deferred_error (counter): Deferred error interrupts (line DFR). */
#define BTZ_METRIC_CPU_INTERRUPTS_DEFERRED_ERROR 2032
/* cpu_interrupts_machine_check (counter): Machine check exceptions (line MCE). */
#define BTZ_METRIC_CPU_INTERRUPTS_MACHINE_CHECK 2033
/* cpu_interrupts_machine_check_poll (counter): Times the machine check banks were polled (line MCP). */
#define BTZ_METRIC_CPU_INTERRUPTS_MACHINE_CHECK_POLL 2034
/* cpu_interrupts_hypervisor (counter): Callbacks from the hypervisor below this host (line HYP). */
#define BTZ_METRIC_CPU_INTERRUPTS_HYPERVISOR 2035
/* cpu_interrupts_posted (counter): Posted-interrupt notifications for guests (line PIN). */
#define BTZ_METRIC_CPU_INTERRUPTS_POSTED 2036
/* cpu_interrupts_posted_nested (counter): Posted-interrupt notifications for nested guests (line NPI). */
#define BTZ_METRIC_CPU_INTERRUPTS_POSTED_NESTED 2037
/* cpu_interrupts_posted_wakeup (counter): Posted-interrupt wakeups of halted vCPUs (line PIW). */
#define BTZ_METRIC_CPU_INTERRUPTS_POSTED_WAKEUP 2038
/* cpu_run_seconds (counter): Time tasks ran on this CPU. */
#define BTZ_METRIC_CPU_RUN 2039
/* cpu_run_delay_seconds (counter): Time tasks were runnable on this CPU but waited for it. */
#define BTZ_METRIC_CPU_RUN_DELAY 2040
/* cpu_timeslices (counter): Times a task was put on this CPU. */
#define BTZ_METRIC_CPU_TIMESLICES 2041
/* cpu_softnet_processed (counter): Packets this CPU took from devices. */
#define BTZ_METRIC_CPU_SOFTNET_PROCESSED 2042
/* cpu_softnet_dropped (counter): Packets dropped because this CPU's backlog was full. */
#define BTZ_METRIC_CPU_SOFTNET_DROPPED 2043
/* cpu_softnet_squeezed (counter): Times packet processing ran out of its share with work left. */
#define BTZ_METRIC_CPU_SOFTNET_SQUEEZED 2044
/* cpu_core_throttles (counter): Times this CPU's core was slowed down because of heat. */
#define BTZ_METRIC_CPU_CORE_THROTTLES 2045
/* cpu_package_throttles (counter): Times this CPU's package was slowed down because of heat. */
#define BTZ_METRIC_CPU_PACKAGE_THROTTLES 2046

/* Metrics of scope "node". */
/* node_memory_total_bytes: Usable memory of this node. */
#define BTZ_METRIC_NODE_MEMORY_TOTAL 3000
/* node_memory_free_bytes: Memory that nothing uses. */
#define BTZ_METRIC_NODE_MEMORY_FREE 3001
/* node_memory_used_bytes: Memory of this node in use, page cache included. */
#define BTZ_METRIC_NODE_MEMORY_USED 3002
/* node_swap_cached_bytes: Memory that is also in swap, unchanged. */
#define BTZ_METRIC_NODE_SWAP_CACHED 3003
/* node_memory_active_bytes: Memory used recently. */
#define BTZ_METRIC_NODE_MEMORY_ACTIVE 3004
/* node_memory_inactive_bytes: Memory not used recently: reclaimed first. */
#define BTZ_METRIC_NODE_MEMORY_INACTIVE 3005
/* node_memory_active_anon_bytes: Anonymous memory used recently. */
#define BTZ_METRIC_NODE_MEMORY_ACTIVE_ANON 3006
/* node_memory_inactive_anon_bytes: Anonymous memory not used recently. */
#define BTZ_METRIC_NODE_MEMORY_INACTIVE_ANON 3007
/* node_memory_active_file_bytes: Page cache used recently. */
#define BTZ_METRIC_NODE_MEMORY_ACTIVE_FILE 3008
/* node_memory_inactive_file_bytes: Page cache not used recently. */
#define BTZ_METRIC_NODE_MEMORY_INACTIVE_FILE 3009
/* node_memory_unevictable_bytes: Memory that cannot be reclaimed. */
#define BTZ_METRIC_NODE_MEMORY_UNEVICTABLE 3010
/* node_memory_locked_bytes: Memory locked with mlock. */
#define BTZ_METRIC_NODE_MEMORY_LOCKED 3011
/* node_memory_dirty_bytes: Memory that waits to be written to disk. */
#define BTZ_METRIC_NODE_MEMORY_DIRTY 3012
/* node_memory_writeback_bytes: Memory that is being written to disk. */
#define BTZ_METRIC_NODE_MEMORY_WRITEBACK 3013
/* node_memory_anon_bytes: Anonymous memory mapped into processes: guests' memory mostly. */
#define BTZ_METRIC_NODE_MEMORY_ANON 3014
/* node_memory_mapped_bytes: Files mapped into processes. */
#define BTZ_METRIC_NODE_MEMORY_MAPPED 3015
/* node_memory_shared_bytes: Shared memory and tmpfs. */
#define BTZ_METRIC_NODE_MEMORY_SHARED 3016
/* node_memory_kernel_stacks_bytes: Kernel stacks of all threads. */
#define BTZ_METRIC_NODE_MEMORY_KERNEL_STACKS 3017
/* node_memory_page_tables_bytes: Page tables of processes. */
#define BTZ_METRIC_NODE_MEMORY_PAGE_TABLES 3018
/* node_memory_kvm_page_tables_bytes: Secondary page tables: KVM's for its guests, and IOMMUs'. */
#define BTZ_METRIC_NODE_MEMORY_KVM_PAGE_TABLES 3019
/* node_memory_kernel_reclaimable_bytes: Kernel memory that can be reclaimed under pressure. */
#define BTZ_METRIC_NODE_MEMORY_KERNEL_RECLAIMABLE 3020
/* node_memory_slab_bytes: Kernel object caches. */
#define BTZ_METRIC_NODE_MEMORY_SLAB 3021
/* node_memory_slab_reclaimable_bytes: Kernel object caches that can be reclaimed. */
#define BTZ_METRIC_NODE_MEMORY_SLAB_RECLAIMABLE 3022
/* node_memory_slab_unreclaimable_bytes: Kernel object caches that cannot be reclaimed. */
#define BTZ_METRIC_NODE_MEMORY_SLAB_UNRECLAIMABLE 3023
/* node_memory_thp_anon_bytes: Anonymous memory in transparent huge pages. */
#define BTZ_METRIC_NODE_MEMORY_THP_ANON 3024
/* node_memory_thp_shared_bytes: Shared memory in transparent huge pages. */
#define BTZ_METRIC_NODE_MEMORY_THP_SHARED 3025
/* node_memory_thp_file_bytes: Page cache in transparent huge pages. */
#define BTZ_METRIC_NODE_MEMORY_THP_FILE 3026
/* node_memory_unaccepted_bytes: Memory a confidential guest has not accepted yet. */
#define BTZ_METRIC_NODE_MEMORY_UNACCEPTED 3027
/* node_memory_file_bytes: Page cache on this node. */
#define BTZ_METRIC_NODE_MEMORY_FILE 3028
/* node_huge_pages_pool: Huge pages of the default size in this node's pool. */
#define BTZ_METRIC_NODE_HUGE_PAGES_POOL 3029
/* node_huge_pages_free: Huge pages of the default size that nothing uses. */
#define BTZ_METRIC_NODE_HUGE_PAGES_FREE 3030
/* node_huge_pages_surplus: Huge pages of the default size beyond the pool's size. */
#define BTZ_METRIC_NODE_HUGE_PAGES_SURPLUS 3031
/* node_numa_hits (counter): Pages wanted from this node and allocated on it. */
#define BTZ_METRIC_NODE_NUMA_HITS 3032
/* node_numa_misses (counter): Pages allocated here although another node was wanted. */
#define BTZ_METRIC_NODE_NUMA_MISSES 3033
/* node_numa_foreign (counter): Pages wanted from this node and allocated elsewhere. */
#define BTZ_METRIC_NODE_NUMA_FOREIGN 3034
/* node_numa_interleaved (counter): Interleaved pages allocated here as wanted. */
#define BTZ_METRIC_NODE_NUMA_INTERLEAVED 3035
/* node_numa_local (counter): Pages allocated here by a CPU of this node. */
#define BTZ_METRIC_NODE_NUMA_LOCAL 3036
/* node_numa_other (counter): Pages allocated here by a CPU of another node. */
#define BTZ_METRIC_NODE_NUMA_OTHER 3037

/* Metrics of scope "block". */
/* block_reads (counter): Reads completed. */
#define BTZ_METRIC_BLOCK_READS 4000
/* block_reads_merged (counter): Reads merged with a neighbour before they were queued. */
#define BTZ_METRIC_BLOCK_READS_MERGED 4001
/* block_read_bytes (counter): Bytes read. */
#define BTZ_METRIC_BLOCK_READ 4002
/* block_read_time_seconds (counter): Time all reads took together, waiting included. */
#define BTZ_METRIC_BLOCK_READ_TIME 4003
/* block_writes (counter): Writes completed. */
#define BTZ_METRIC_BLOCK_WRITES 4004
/* block_writes_merged (counter): Writes merged with a neighbour before they were queued. */
#define BTZ_METRIC_BLOCK_WRITES_MERGED 4005
/* block_written_bytes (counter): Bytes written. */
#define BTZ_METRIC_BLOCK_WRITTEN 4006
/* block_write_time_seconds (counter): Time all writes took together, waiting included. */
#define BTZ_METRIC_BLOCK_WRITE_TIME 4007
/* block_in_flight: Requests given to the device and not completed yet. */
#define BTZ_METRIC_BLOCK_IN_FLIGHT 4008
/* block_io_time_seconds (counter): Time in which at least one request was under way. */
#define BTZ_METRIC_BLOCK_IO_TIME 4009
/* block_io_weighted_time_seconds (counter): Time of all requests under way, added up: its rate is the mean queue length. */
#define BTZ_METRIC_BLOCK_IO_WEIGHTED_TIME 4010
/* block_discards (counter): Discards completed. */
#define BTZ_METRIC_BLOCK_DISCARDS 4011
/* block_discards_merged (counter): Discards merged with a neighbour. */
#define BTZ_METRIC_BLOCK_DISCARDS_MERGED 4012
/* block_discarded_bytes (counter): Bytes discarded. */
#define BTZ_METRIC_BLOCK_DISCARDED 4013
/* block_discard_time_seconds (counter): Time all discards took together. */
#define BTZ_METRIC_BLOCK_DISCARD_TIME 4014
/* block_flushes (counter): Flushes completed; not counted for partitions. */
#define BTZ_METRIC_BLOCK_FLUSHES 4015
/* block_flush_time_seconds (counter): Time all flushes took together. */
#define BTZ_METRIC_BLOCK_FLUSH_TIME 4016

/* Metrics of scope "net". */
/* net_receive_bytes (counter): Bytes received. */
#define BTZ_METRIC_NET_RECEIVE 5000
/* net_receive_packets (counter): Packets received. */
#define BTZ_METRIC_NET_RECEIVE_PACKETS 5001
/* net_receive_errors (counter): Packets not received because of an error. */
#define BTZ_METRIC_NET_RECEIVE_ERRORS 5002
/* net_receive_drops (counter): Packets dropped that were to be received. */
#define BTZ_METRIC_NET_RECEIVE_DROPS 5003
/* net_receive_fifo_errors (counter): Errors of the device's queue. */
#define BTZ_METRIC_NET_RECEIVE_FIFO_ERRORS 5004
/* net_receive_frame_errors (counter): Packets with a bad frame: length, checksum or alignment. */
#define BTZ_METRIC_NET_RECEIVE_FRAME_ERRORS 5005
/* net_receive_compressed (counter): Compressed packets received. */
#define BTZ_METRIC_NET_RECEIVE_COMPRESSED 5006
/* net_receive_multicast (counter): Multicast packets received. */
#define BTZ_METRIC_NET_RECEIVE_MULTICAST 5007
/* net_transmit_bytes (counter): Bytes sent. */
#define BTZ_METRIC_NET_TRANSMIT 5008
/* net_transmit_packets (counter): Packets sent. */
#define BTZ_METRIC_NET_TRANSMIT_PACKETS 5009
/* net_transmit_errors (counter): Packets not sent because of an error. */
#define BTZ_METRIC_NET_TRANSMIT_ERRORS 5010
/* net_transmit_drops (counter): Packets dropped that were to be sent. */
#define BTZ_METRIC_NET_TRANSMIT_DROPS 5011
/* net_transmit_fifo_errors (counter): Errors of the device's queue. */
#define BTZ_METRIC_NET_TRANSMIT_FIFO_ERRORS 5012
/* net_transmit_collisions (counter): Collisions. */
#define BTZ_METRIC_NET_TRANSMIT_COLLISIONS 5013
/* net_transmit_carrier_errors (counter): Losses of carrier and other errors of the line. */
#define BTZ_METRIC_NET_TRANSMIT_CARRIER_ERRORS 5014
/* net_transmit_compressed (counter): Compressed packets sent. */
#define BTZ_METRIC_NET_TRANSMIT_COMPRESSED 5015

/* Metrics of scope "vm". */
/* vm_state: State of the VMM process: 1 running, 2 stopped (SIGSTOP or traced), 3 frozen (cgroup freezer), 4 zombie, 5 uninterruptible. */
#define BTZ_METRIC_VM_STATE 6000
/* vm_cpu_user_seconds (counter): Time the VMM process spent in user code, guest time included. */
#define BTZ_METRIC_VM_CPU_USER 6001
/* vm_cpu_system_seconds (counter): Time the VMM process spent in the kernel. */
#define BTZ_METRIC_VM_CPU_SYSTEM 6002
/* vm_threads: Threads of the VMM process. */
#define BTZ_METRIC_VM_THREADS 6003
/* vm_memory_resident_bytes: Resident memory of the VMM process, guest memory included. */
#define BTZ_METRIC_VM_MEMORY_RESIDENT 6004
/* vm_kvm_exits (counter): VM exits of all vCPUs. */
#define BTZ_METRIC_VM_KVM_EXITS 6005
/* vm_cpu_guest_seconds (counter): Time the VMM process spent running the guest's own code. */
#define BTZ_METRIC_VM_CPU_GUEST 6006
/* vm_faults_minor (counter): Page faults of the VMM process that needed no I/O. */
#define BTZ_METRIC_VM_FAULTS_MINOR 6007
/* vm_faults_major (counter): Page faults of the VMM process that waited for I/O: guest memory read back from swap or a file. */
#define BTZ_METRIC_VM_FAULTS_MAJOR 6008
/* vm_memory_virtual_bytes: Address space of the VMM process. */
#define BTZ_METRIC_VM_MEMORY_VIRTUAL 6009
/* vm_block_io_delay_seconds (counter): Time the VMM process waited for block I/O; only while delay accounting (`kernel.task_delayacct`) is on. */
#define BTZ_METRIC_VM_BLOCK_IO_DELAY 6010
/* vm_start_since_boot_seconds: When the VMM process started, counted from the host's boot. */
#define BTZ_METRIC_VM_START 6011
/* vm_vcpu_run_seconds (counter): Time all vCPU threads ran on a CPU. */
#define BTZ_METRIC_VM_VCPU_RUN 6012
/* vm_vcpu_wait_seconds (counter): Time all vCPU threads were runnable but waited for a CPU: the steal the guest sees. */
#define BTZ_METRIC_VM_VCPU_WAIT 6013
/* vm_vcpu_timeslices (counter): Times a vCPU thread was put on a CPU. */
#define BTZ_METRIC_VM_VCPU_TIMESLICES 6014
/* vm_emulator_run_seconds (counter): Time the VMM's threads that are not vCPUs ran on a CPU. */
#define BTZ_METRIC_VM_EMULATOR_RUN 6015
/* vm_emulator_wait_seconds (counter): Time the VMM's threads that are not vCPUs were runnable but waited for a CPU. */
#define BTZ_METRIC_VM_EMULATOR_WAIT 6016
/* vm_emulator_timeslices (counter): Times a VMM thread that is not a vCPU was put on a CPU. */
#define BTZ_METRIC_VM_EMULATOR_TIMESLICES 6017
/* vm_vcpus_progressing: vCPUs whose thread ran since the tick before. */
#define BTZ_METRIC_VM_VCPUS_PROGRESSING 6018
/* vm_stalled_seconds: Time since a vCPU thread of this VM was last seen to have run; 0 while one makes progress. */
#define BTZ_METRIC_VM_STALLED 6019
/* vm_io_chars_read_bytes (counter): Bytes the VMM process got from read calls of any kind, sockets and page cache included. */
#define BTZ_METRIC_VM_IO_CHARS_READ 6020
/* vm_io_chars_written_bytes (counter): Bytes the VMM process passed to write calls of any kind. */
#define BTZ_METRIC_VM_IO_CHARS_WRITTEN 6021
/* vm_io_read_calls (counter): Read calls of the VMM process. */
#define BTZ_METRIC_VM_IO_READ_CALLS 6022
/* vm_io_write_calls (counter): Write calls of the VMM process. */
#define BTZ_METRIC_VM_IO_WRITE_CALLS 6023
/* vm_io_storage_read_bytes (counter): Bytes the VMM process caused to be read from storage. */
#define BTZ_METRIC_VM_IO_STORAGE_READ 6024
/* vm_io_storage_written_bytes (counter): Bytes the VMM process caused to be written to storage. */
#define BTZ_METRIC_VM_IO_STORAGE_WRITTEN 6025
/* vm_io_cancelled_writes_bytes (counter): Bytes whose way to storage was cancelled because the page cache was truncated. */
#define BTZ_METRIC_VM_IO_CANCELLED_WRITES 6026
/* vm_memory_virtual_peak_bytes: Largest address space the VMM process ever had. */
#define BTZ_METRIC_VM_MEMORY_VIRTUAL_PEAK 6027
/* vm_memory_resident_peak_bytes: Most memory the VMM process ever had resident. */
#define BTZ_METRIC_VM_MEMORY_RESIDENT_PEAK 6028
/* vm_memory_locked_bytes: Memory the VMM process locked. */
#define BTZ_METRIC_VM_MEMORY_LOCKED 6029
/* vm_memory_pinned_bytes: Memory of the VMM process pinned for devices: VFIO, RDMA. */
#define BTZ_METRIC_VM_MEMORY_PINNED 6030
/* vm_memory_anonymous_bytes: Resident anonymous memory: guest memory that no file backs. */
#define BTZ_METRIC_VM_MEMORY_ANONYMOUS 6031
/* vm_memory_file_bytes: Resident memory mapped from files. */
#define BTZ_METRIC_VM_MEMORY_FILE 6032
/* vm_memory_shared_bytes: Resident shared memory: guest memory from memfd, tmpfs or shmem. */
#define BTZ_METRIC_VM_MEMORY_SHARED 6033
/* vm_memory_swapped_bytes: Anonymous memory of the VMM process that is in swap. */
#define BTZ_METRIC_VM_MEMORY_SWAPPED 6034
/* vm_memory_page_tables_bytes: Page tables of the VMM process. */
#define BTZ_METRIC_VM_MEMORY_PAGE_TABLES 6035
/* vm_memory_hugetlb_bytes: Memory of the VMM process in huge pages set aside by the host. */
#define BTZ_METRIC_VM_MEMORY_HUGETLB 6036
/* vm_main_thread_switches_voluntary (counter): Times the VMM's main thread gave up the CPU by itself. */
#define BTZ_METRIC_VM_MAIN_SWITCHES_VOLUNTARY 6037
/* vm_main_thread_switches_involuntary (counter): Times the VMM's main thread was taken off the CPU. */
#define BTZ_METRIC_VM_MAIN_SWITCHES_INVOLUNTARY 6038
/* vm_seccomp_mode: Seccomp mode of the VMM's main thread: 0 off, 1 strict, 2 filter. */
#define BTZ_METRIC_VM_SECCOMP_MODE 6039
/* vm_seccomp_filters: Seccomp filters on the VMM's main thread. */
#define BTZ_METRIC_VM_SECCOMP_FILTERS 6040
/* vm_no_new_privileges: Whether the VMM's main thread can gain privileges by exec: 1 it cannot, 0 it can. */
#define BTZ_METRIC_VM_NO_NEW_PRIVILEGES 6041
/* vm_capabilities_effective: Capabilities in the effective set of the VMM's main thread. */
#define BTZ_METRIC_VM_CAPABILITIES_EFFECTIVE 6042
/* vm_traced: 1 when a debugger or tracer is attached to the VMM. */
#define BTZ_METRIC_VM_TRACED 6043
/* vm_runs_as_root: 1 when the effective user of the VMM is root. */
#define BTZ_METRIC_VM_RUNS_AS_ROOT 6044
/* vm_cpus_allowed: Logical CPUs the VMM's main thread may run on. */
#define BTZ_METRIC_VM_CPUS_ALLOWED 6045
/* vm_core_dumping: 1 while the VMM process writes a core dump. */
#define BTZ_METRIC_VM_CORE_DUMPING 6046
/* vm_signals_queued: Signals queued for the user the VMM runs as. */
#define BTZ_METRIC_VM_SIGNALS_QUEUED 6047
/* vm_memory_proportional_bytes: Resident memory with shared pages divided among their users (PSS). */
#define BTZ_METRIC_VM_MEMORY_PROPORTIONAL 6048
/* vm_memory_proportional_dirty_bytes: The dirty part of the proportional memory. */
#define BTZ_METRIC_VM_MEMORY_PROPORTIONAL_DIRTY 6049
/* vm_memory_shared_clean_bytes: Clean pages that other processes map too. */
#define BTZ_METRIC_VM_MEMORY_SHARED_CLEAN 6050
/* vm_memory_shared_dirty_bytes: Dirty pages that other processes map too. */
#define BTZ_METRIC_VM_MEMORY_SHARED_DIRTY 6051
/* vm_memory_private_clean_bytes: Clean pages nobody else maps. */
#define BTZ_METRIC_VM_MEMORY_PRIVATE_CLEAN 6052
/* vm_memory_private_dirty_bytes: Dirty pages nobody else maps. */
#define BTZ_METRIC_VM_MEMORY_PRIVATE_DIRTY 6053
/* vm_memory_referenced_bytes: Pages marked as accessed: a hint of the working set. */
#define BTZ_METRIC_VM_MEMORY_REFERENCED 6054
/* vm_memory_transparent_huge_bytes: Anonymous memory in transparent huge pages. */
#define BTZ_METRIC_VM_MEMORY_TRANSPARENT_HUGE 6055
/* vm_memory_merged_bytes: Pages that KSM shares, with other VMs perhaps. */
#define BTZ_METRIC_VM_MEMORY_MERGED 6056
/* vm_memory_swap_proportional_bytes: Swapped memory with shared pages divided among their users. */
#define BTZ_METRIC_VM_MEMORY_SWAP_PROPORTIONAL 6057
/* vm_open_files: File descriptors the VMM process has open. */
#define BTZ_METRIC_VM_OPEN_FILES 6058
/* vm_open_files_max: File descriptors the VMM process may have open (soft limit). */
#define BTZ_METRIC_VM_OPEN_FILES_MAX 6059
/* vm_cgroup_cpu_usage_seconds (counter): CPU time of the VM's cgroup. */
#define BTZ_METRIC_VM_CGROUP_CPU_USAGE 6060
/* vm_cgroup_cpu_user_seconds (counter): CPU time of the VM's cgroup in user code and the guest. */
#define BTZ_METRIC_VM_CGROUP_CPU_USER 6061
/* vm_cgroup_cpu_system_seconds (counter): CPU time of the VM's cgroup in the kernel. */
#define BTZ_METRIC_VM_CGROUP_CPU_SYSTEM 6062
/* vm_cgroup_cpu_periods (counter): Enforcement periods of the cgroup's CPU quota that elapsed. */
#define BTZ_METRIC_VM_CGROUP_CPU_PERIODS 6063
/* vm_cgroup_cpu_throttled_periods (counter): Periods in which the VM's cgroup used up its CPU quota and was held back. */
#define BTZ_METRIC_VM_CGROUP_CPU_THROTTLED_PERIODS 6064
/* vm_cgroup_cpu_throttled_seconds (counter): Time the VM's cgroup was held back by its CPU quota. */
#define BTZ_METRIC_VM_CGROUP_CPU_THROTTLED 6065
/* vm_cgroup_cpu_bursts (counter): Periods in which the VM's cgroup used more than its quota by its burst allowance. */
#define BTZ_METRIC_VM_CGROUP_CPU_BURSTS 6066
/* vm_cgroup_cpu_burst_seconds (counter): CPU time above the quota that the burst allowance gave. */
#define BTZ_METRIC_VM_CGROUP_CPU_BURST 6067
/* vm_cgroup_cpu_forced_idle_seconds (counter): Time core scheduling kept a sibling idle for the sake of this cgroup. */
#define BTZ_METRIC_VM_CGROUP_CPU_FORCED_IDLE 6068
/* vm_cgroup_memory_bytes: Memory charged to the VM's cgroup. */
#define BTZ_METRIC_VM_CGROUP_MEMORY 6069
/* vm_cgroup_memory_peak_bytes: Most memory ever charged to the VM's cgroup. */
#define BTZ_METRIC_VM_CGROUP_MEMORY_PEAK 6070
/* vm_cgroup_memory_limit_bytes: Memory limit of the VM's cgroup; unsupported when there is none. */
#define BTZ_METRIC_VM_CGROUP_MEMORY_LIMIT 6071
/* vm_cgroup_swap_bytes: Swap charged to the VM's cgroup. */
#define BTZ_METRIC_VM_CGROUP_SWAP 6072
/* vm_cgroup_memory_anonymous_bytes: Anonymous memory of the VM's cgroup. */
#define BTZ_METRIC_VM_CGROUP_MEMORY_ANONYMOUS 6073
/* vm_cgroup_memory_file_bytes: Page cache of the VM's cgroup, shared memory included. */
#define BTZ_METRIC_VM_CGROUP_MEMORY_FILE 6074
/* vm_cgroup_memory_shared_bytes: Shared memory and tmpfs pages of the VM's cgroup. */
#define BTZ_METRIC_VM_CGROUP_MEMORY_SHARED 6075
/* vm_cgroup_memory_kernel_bytes: Kernel memory charged to the VM's cgroup. */
#define BTZ_METRIC_VM_CGROUP_MEMORY_KERNEL 6076
/* vm_cgroup_memory_slab_bytes: Kernel slabs charged to the VM's cgroup. */
#define BTZ_METRIC_VM_CGROUP_MEMORY_SLAB 6077
/* vm_cgroup_memory_dirty_bytes: Page cache of the VM's cgroup that waits to be written. */
#define BTZ_METRIC_VM_CGROUP_MEMORY_DIRTY 6078
/* vm_cgroup_memory_writeback_bytes: Page cache of the VM's cgroup that is being written. */
#define BTZ_METRIC_VM_CGROUP_MEMORY_WRITEBACK 6079
/* vm_cgroup_faults (counter): Page faults charged to the VM's cgroup. */
#define BTZ_METRIC_VM_CGROUP_FAULTS 6080
/* vm_cgroup_faults_major (counter): Page faults charged to the VM's cgroup that waited for I/O. */
#define BTZ_METRIC_VM_CGROUP_FAULTS_MAJOR 6081
/* vm_cgroup_refaults_anonymous (counter): Anonymous pages that were reclaimed and needed again soon after. */
#define BTZ_METRIC_VM_CGROUP_REFAULTS_ANONYMOUS 6082
/* vm_cgroup_refaults_file (counter): File pages that were reclaimed and needed again soon after. */
#define BTZ_METRIC_VM_CGROUP_REFAULTS_FILE 6083
/* vm_cgroup_memory_low_events (counter): Times the VM's cgroup was reclaimed from although below its low mark. */
#define BTZ_METRIC_VM_CGROUP_MEMORY_LOW_EVENTS 6084
/* vm_cgroup_memory_high_events (counter): Times the VM's cgroup was throttled for exceeding its high mark. */
#define BTZ_METRIC_VM_CGROUP_MEMORY_HIGH_EVENTS 6085
/* vm_cgroup_memory_max_events (counter): Times the VM's cgroup ran into its memory limit. */
#define BTZ_METRIC_VM_CGROUP_MEMORY_MAX_EVENTS 6086
/* vm_cgroup_oom_events (counter): Times the VM's cgroup could not be given memory within its limit. */
#define BTZ_METRIC_VM_CGROUP_OOM_EVENTS 6087
/* vm_cgroup_oom_kills (counter): Processes of the VM's cgroup the kernel killed for want of memory. */
#define BTZ_METRIC_VM_CGROUP_OOM_KILLS 6088
/* vm_cgroup_io_read_bytes (counter): Bytes the VM's cgroup read from block devices. */
#define BTZ_METRIC_VM_CGROUP_IO_READ 6089
/* vm_cgroup_io_written_bytes (counter): Bytes the VM's cgroup wrote to block devices. */
#define BTZ_METRIC_VM_CGROUP_IO_WRITTEN 6090
/* vm_cgroup_io_reads (counter): Reads the VM's cgroup made from block devices. */
#define BTZ_METRIC_VM_CGROUP_IO_READS 6091
/* vm_cgroup_io_writes (counter): Writes the VM's cgroup made to block devices. */
#define BTZ_METRIC_VM_CGROUP_IO_WRITES 6092
/* vm_cgroup_io_discarded_bytes (counter): Bytes the VM's cgroup discarded on block devices. */
#define BTZ_METRIC_VM_CGROUP_IO_DISCARDED 6093
/* vm_cgroup_io_discards (counter): Discards the VM's cgroup made on block devices. */
#define BTZ_METRIC_VM_CGROUP_IO_DISCARDS 6094
/* vm_pressure_cpu_some_seconds (counter): Time in which at least one task of the VM's cgroup waited for a CPU. */
#define BTZ_METRIC_VM_PRESSURE_CPU_SOME 6095
/* vm_pressure_cpu_full_seconds (counter): Time in which all tasks of the VM's cgroup that were not idle waited for a CPU. */
#define BTZ_METRIC_VM_PRESSURE_CPU_FULL 6096
/* vm_pressure_memory_some_seconds (counter): Time in which at least one task of the VM's cgroup waited for memory. */
#define BTZ_METRIC_VM_PRESSURE_MEMORY_SOME 6097
/* vm_pressure_memory_full_seconds (counter): Time in which all tasks of the VM's cgroup that were not idle waited for memory. */
#define BTZ_METRIC_VM_PRESSURE_MEMORY_FULL 6098
/* vm_pressure_io_some_seconds (counter): Time in which at least one task of the VM's cgroup waited for I/O. */
#define BTZ_METRIC_VM_PRESSURE_IO_SOME 6099
/* vm_pressure_io_full_seconds (counter): Time in which all tasks of the VM's cgroup that were not idle waited for I/O. */
#define BTZ_METRIC_VM_PRESSURE_IO_FULL 6100
/* vm_cgroup_tasks: Processes and threads in the VM's cgroup. */
#define BTZ_METRIC_VM_CGROUP_TASKS 6101
/* vm_cgroup_tasks_max: Processes and threads the VM's cgroup may hold; unsupported when there is no limit. */
#define BTZ_METRIC_VM_CGROUP_TASKS_MAX 6102
/* vm_cgroup_forks_refused (counter): Times a fork in the VM's cgroup was refused because of that limit. */
#define BTZ_METRIC_VM_CGROUP_FORKS_REFUSED 6103
/* vm_kvm_io_exits (counter): Exits for port I/O, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_IO_EXITS 6104
/* vm_kvm_mmio_exits (counter): Exits for memory-mapped I/O, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_MMIO_EXITS 6105
/* vm_kvm_halt_exits (counter): Exits because the guest halted, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_HALT_EXITS 6106
/* vm_kvm_irq_exits (counter): Exits because an interrupt of the host arrived, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_IRQ_EXITS 6107
/* vm_kvm_irq_window_exits (counter): Exits because the guest became able to take an interrupt, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_IRQ_WINDOW_EXITS 6108
/* vm_kvm_nmi_window_exits (counter): Exits because the guest became able to take an NMI, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_NMI_WINDOW_EXITS 6109
/* vm_kvm_request_irq_exits (counter): Exits to the VMM because it asked to be told when an interrupt can be injected, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_REQUEST_IRQ_EXITS 6110
/* vm_kvm_signal_exits (counter): Exits to the VMM because a signal waited, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_SIGNAL_EXITS 6111
/* vm_kvm_notify_window_exits (counter): Exits because the guest let no event through for too long: an attempt to starve the host, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_NOTIFY_WINDOW_EXITS 6112
/* vm_kvm_halt_polls_attempted (counter): Times the host polled for a wake-up before putting a halted vCPU to sleep, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_HALT_POLLS_ATTEMPTED 6113
/* vm_kvm_halt_polls_successful (counter): Polls that a wake-up ended in time, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_HALT_POLLS_SUCCESSFUL 6114
/* vm_kvm_halt_polls_invalid (counter): Polls ended by a wake-up that was not meant to be polled for, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_HALT_POLLS_INVALID 6115
/* vm_kvm_halt_wakeups (counter): Wake-ups from halt, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_HALT_WAKEUPS 6116
/* vm_kvm_halt_poll_success_seconds (counter): Time spent in polls that succeeded, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_HALT_POLL_SUCCESS 6117
/* vm_kvm_halt_poll_fail_seconds (counter): Time spent in polls that failed: CPU burnt for nothing, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_HALT_POLL_FAIL 6118
/* vm_kvm_halt_wait_seconds (counter): Time asleep in halt, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_HALT_WAIT 6119
/* vm_kvm_blocking: vCPUs asleep in halt now. */
#define BTZ_METRIC_VM_KVM_BLOCKING 6120
/* vm_kvm_irq_injections (counter): Interrupts injected into the guest, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_IRQ_INJECTIONS 6121
/* vm_kvm_nmi_injections (counter): NMIs injected into the guest, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_NMI_INJECTIONS 6122
/* vm_kvm_request_events (counter): Times pending events were looked at before entering the guest, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_REQUEST_EVENTS 6123
/* vm_kvm_emulations (counter): Guest instructions the host emulated, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_EMULATIONS 6124
/* vm_kvm_emulations_failed (counter): Guest instructions the host failed to emulate, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_EMULATIONS_FAILED 6125
/* vm_kvm_page_faults (counter): Page faults of the guest that KVM handled, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_PAGE_FAULTS 6126
/* vm_kvm_page_faults_fixed (counter): Page faults that ended in a new mapping, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_PAGE_FAULTS_FIXED 6127
/* vm_kvm_page_faults_emulated (counter): Page faults that ended in emulation, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_PAGE_FAULTS_EMULATED 6128
/* vm_kvm_page_faults_spurious (counter): Page faults that another vCPU had resolved already, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_PAGE_FAULTS_SPURIOUS 6129
/* vm_kvm_page_faults_fast (counter): Page faults resolved without the MMU lock, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_PAGE_FAULTS_FAST 6130
/* vm_kvm_page_faults_mmio (counter): Page faults that marked a page as memory-mapped I/O, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_PAGE_FAULTS_MMIO 6131
/* vm_kvm_page_faults_guest (counter): Page faults handed on to the guest, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_PAGE_FAULTS_GUEST 6132
/* vm_kvm_tlb_flushes (counter): TLB flushes, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_TLB_FLUSHES 6133
/* vm_kvm_invlpg (counter): INVLPG instructions KVM handled, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_INVLPG 6134
/* vm_kvm_l1d_flushes (counter): Flushes of the L1 data cache before entering the guest, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_L1D_FLUSHES 6135
/* vm_kvm_host_state_reloads (counter): Times the host's full register state was loaded again, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_HOST_STATE_RELOADS 6136
/* vm_kvm_fpu_reloads (counter): Times the guest's FPU state was loaded, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_FPU_RELOADS 6137
/* vm_kvm_hypercalls (counter): Hypercalls of the guest, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_HYPERCALLS 6138
/* vm_kvm_nested_runs (counter): Times a guest within the guest was entered, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_NESTED_RUNS 6139
/* vm_kvm_directed_yields_attempted (counter): Times a spinning vCPU tried to yield to another one, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_DIRECTED_YIELDS_ATTEMPTED 6140
/* vm_kvm_directed_yields_successful (counter): Directed yields that found a vCPU to run, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_DIRECTED_YIELDS_SUCCESSFUL 6141
/* vm_kvm_preemptions_reported (counter): Preemptions of a vCPU that the guest was told of, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_PREEMPTIONS_REPORTED 6142
/* vm_kvm_preemptions_other (counter): Preemptions of a vCPU outside of guest code, all vCPUs together. */
#define BTZ_METRIC_VM_KVM_PREEMPTIONS_OTHER 6143
/* vm_kvm_guest_mode: vCPUs that run a guest within the guest now. */
#define BTZ_METRIC_VM_KVM_GUEST_MODE 6144
/* vm_kvm_remote_tlb_flushes (counter): TLB flushes that had to interrupt other CPUs. */
#define BTZ_METRIC_VM_KVM_REMOTE_TLB_FLUSHES 6145
/* vm_kvm_remote_tlb_flush_requests (counter): Requests for TLB flushes on other CPUs, needed or not. */
#define BTZ_METRIC_VM_KVM_REMOTE_TLB_FLUSH_REQUESTS 6146
/* vm_kvm_mmu_zapped (counter): Shadow pages taken down. */
#define BTZ_METRIC_VM_KVM_MMU_ZAPPED 6147
/* vm_kvm_mmu_pte_writes (counter): Guest writes to shadowed page tables that KVM emulated. */
#define BTZ_METRIC_VM_KVM_MMU_PTE_WRITES 6148
/* vm_kvm_mmu_pde_zapped (counter): Shadow page directories taken down after guest writes. */
#define BTZ_METRIC_VM_KVM_MMU_PDE_ZAPPED 6149
/* vm_kvm_mmu_flooded (counter): Shadow pages taken down because the guest wrote to them over and over. */
#define BTZ_METRIC_VM_KVM_MMU_FLOODED 6150
/* vm_kvm_mmu_recycled (counter): Shadow pages taken down to make room for others: MMU pressure. */
#define BTZ_METRIC_VM_KVM_MMU_RECYCLED 6151
/* vm_kvm_mmu_cache_misses (counter): Shadow pages that had to be made. */
#define BTZ_METRIC_VM_KVM_MMU_CACHE_MISSES 6152
/* vm_kvm_mmu_unsync: Shadow pages not in step with the guest's page tables now. */
#define BTZ_METRIC_VM_KVM_MMU_UNSYNC 6153
/* vm_kvm_pages_4k: 4 KiB pages mapped for the guest. */
#define BTZ_METRIC_VM_KVM_PAGES_4K 6154
/* vm_kvm_pages_2m: 2 MiB pages mapped for the guest. */
#define BTZ_METRIC_VM_KVM_PAGES_2M 6155
/* vm_kvm_pages_1g: 1 GiB pages mapped for the guest. */
#define BTZ_METRIC_VM_KVM_PAGES_1G 6156
/* vm_kvm_nx_huge_page_splits: Huge pages split because the guest executed code in them (iTLB multihit mitigation). */
#define BTZ_METRIC_VM_KVM_NX_HUGE_PAGE_SPLITS 6157
/* vm_kvm_mmu_hash_collisions_max: Longest chain seen in the table of shadow pages. */
#define BTZ_METRIC_VM_KVM_MMU_HASH_COLLISIONS_MAX 6158
/* vm_kvm_mmu_rmap_size_max: Most mappings seen of one guest page. */
#define BTZ_METRIC_VM_KVM_MMU_RMAP_SIZE_MAX 6159
/* vm_run_state: What the VMM says of the VM: 1 running, 2 paused, 3 not started, 4 migrating away or gone, 5 migrating here, 6 saving or restoring, 7 shut down, 8 suspended, 9 guest panicked, 10 internal error, 11 stopped by a disk error, 12 watchdog fired, 13 debugger, 14 COLO, 0 something newer. */
#define BTZ_METRIC_VM_RUN_STATE 6160
/* vm_balloon_actual_bytes: Memory the balloon leaves to the guest. */
#define BTZ_METRIC_VM_BALLOON_ACTUAL 6161
/* vm_monitor_state: What the VMM's monitor did when it was last asked: 1 answered, 2 silent, 3 refused or was not there, 4 may not be asked by this process, 5 made no sense, 6 was not asked because the VMM is stopped or frozen. */
#define BTZ_METRIC_VM_MONITOR_STATE 6162
/* vm_vmm_exits_io_in (counter): Exits the VMM handled for port reads. */
#define BTZ_METRIC_VM_VMM_EXITS_IO_IN 6163
/* vm_vmm_exits_io_out (counter): Exits the VMM handled for port writes. */
#define BTZ_METRIC_VM_VMM_EXITS_IO_OUT 6164
/* vm_vmm_exits_mmio_read (counter): Exits the VMM handled for memory-mapped reads. */
#define BTZ_METRIC_VM_VMM_EXITS_MMIO_READ 6165
/* vm_vmm_exits_mmio_write (counter): Exits the VMM handled for memory-mapped writes. */
#define BTZ_METRIC_VM_VMM_EXITS_MMIO_WRITE 6166
/* vm_vmm_vcpu_failures (counter): Errors while vCPUs ran. */
#define BTZ_METRIC_VM_VMM_VCPU_FAILURES 6167
/* vm_vmm_seccomp_faults (counter): System calls of the VMM that its seccomp filter refused: of a VMM that works, none. */
#define BTZ_METRIC_VM_VMM_SECCOMP_FAULTS 6168
/* vm_vmm_panics (counter): Panics of the VMM. */
#define BTZ_METRIC_VM_VMM_PANICS 6169
/* vm_vmm_fatal_signals (counter): Fatal signals the VMM received: SIGBUS, SIGSEGV, SIGXFSZ, SIGXCPU, SIGHUP, SIGILL. */
#define BTZ_METRIC_VM_VMM_FATAL_SIGNALS 6170
/* vm_vmm_net_failures (counter): Frames the VMM could not receive or send, all interfaces. */
#define BTZ_METRIC_VM_VMM_NET_FAILURES 6171
/* vm_vmm_net_malformed (counter): Frames the guest put together wrongly. */
#define BTZ_METRIC_VM_VMM_NET_MALFORMED 6172
/* vm_vmm_net_spoofed (counter): Frames the guest sent under a MAC address that is not its own. */
#define BTZ_METRIC_VM_VMM_NET_SPOOFED 6173

/* Metrics of scope "vcpu". */
/* vcpu_run_seconds (counter): Time the vCPU thread ran on a CPU. */
#define BTZ_METRIC_VCPU_RUN 7000
/* vcpu_wait_seconds (counter): Time the vCPU thread was runnable but waited for a CPU: the steal its guest sees. */
#define BTZ_METRIC_VCPU_WAIT 7001
/* vcpu_timeslices (counter): Times the vCPU thread was put on a CPU. */
#define BTZ_METRIC_VCPU_TIMESLICES 7002
/* vcpu_kvm_exits (counter): VM exits of this vCPU. */
#define BTZ_METRIC_VCPU_EXITS 7003
/* vcpu_progressing: 1 when the vCPU thread ran since the tick before; a halted or frozen vCPU does not. */
#define BTZ_METRIC_VCPU_PROGRESSING 7004
/* vcpu_stalled_seconds: Time since the vCPU thread was last seen to have run; 0 while it makes progress. */
#define BTZ_METRIC_VCPU_STALLED 7005
/* vcpu_state: State of the vCPU thread: 1 running or runnable, 2 stopped, 3 asleep (halted guest), 4 dead, 5 uninterruptible. */
#define BTZ_METRIC_VCPU_STATE 7006
/* vcpu_user_seconds (counter): Time the vCPU thread spent in user code, guest time included. */
#define BTZ_METRIC_VCPU_USER 7007
/* vcpu_system_seconds (counter): Time the vCPU thread spent in the kernel. */
#define BTZ_METRIC_VCPU_SYSTEM 7008
/* vcpu_guest_seconds (counter): Time the vCPU thread spent running guest code. */
#define BTZ_METRIC_VCPU_GUEST 7009
/* vcpu_faults_minor (counter): Page faults of the vCPU thread that needed no I/O. */
#define BTZ_METRIC_VCPU_FAULTS_MINOR 7010
/* vcpu_faults_major (counter): Page faults of the vCPU thread that waited for I/O. */
#define BTZ_METRIC_VCPU_FAULTS_MAJOR 7011
/* vcpu_processor: Logical CPU the vCPU thread last ran on. */
#define BTZ_METRIC_VCPU_PROCESSOR 7012
/* vcpu_nice: Nice value of the vCPU thread: -20 to 19. */
#define BTZ_METRIC_VCPU_NICE 7013
/* vcpu_realtime_priority: Real-time priority of the vCPU thread; 0 when it has none. */
#define BTZ_METRIC_VCPU_REALTIME_PRIORITY 7014
/* vcpu_scheduling_policy: Scheduling policy of the vCPU thread: 0 other, 1 FIFO, 2 round robin, 3 batch, 5 idle, 6 deadline, 7 ext. */
#define BTZ_METRIC_VCPU_SCHEDULING_POLICY 7015
/* vcpu_kvm_io_exits (counter): Exits for port I/O. */
#define BTZ_METRIC_VCPU_KVM_IO_EXITS 7016
/* vcpu_kvm_mmio_exits (counter): Exits for memory-mapped I/O. */
#define BTZ_METRIC_VCPU_KVM_MMIO_EXITS 7017
/* vcpu_kvm_halt_exits (counter): Exits because the guest halted. */
#define BTZ_METRIC_VCPU_KVM_HALT_EXITS 7018
/* vcpu_kvm_irq_exits (counter): Exits because an interrupt of the host arrived. */
#define BTZ_METRIC_VCPU_KVM_IRQ_EXITS 7019
/* vcpu_kvm_irq_window_exits (counter): Exits because the guest became able to take an interrupt. */
#define BTZ_METRIC_VCPU_KVM_IRQ_WINDOW_EXITS 7020
/* vcpu_kvm_nmi_window_exits (counter): Exits because the guest became able to take an NMI. */
#define BTZ_METRIC_VCPU_KVM_NMI_WINDOW_EXITS 7021
/* vcpu_kvm_request_irq_exits (counter): Exits to the VMM because it asked to be told when an interrupt can be injected. */
#define BTZ_METRIC_VCPU_KVM_REQUEST_IRQ_EXITS 7022
/* vcpu_kvm_signal_exits (counter): Exits to the VMM because a signal waited. */
#define BTZ_METRIC_VCPU_KVM_SIGNAL_EXITS 7023
/* vcpu_kvm_notify_window_exits (counter): Exits because the guest let no event through for too long: an attempt to starve the host. */
#define BTZ_METRIC_VCPU_KVM_NOTIFY_WINDOW_EXITS 7024
/* vcpu_kvm_halt_polls_attempted (counter): Times the host polled for a wake-up before putting a halted vCPU to sleep. */
#define BTZ_METRIC_VCPU_KVM_HALT_POLLS_ATTEMPTED 7025
/* vcpu_kvm_halt_polls_successful (counter): Polls that a wake-up ended in time. */
#define BTZ_METRIC_VCPU_KVM_HALT_POLLS_SUCCESSFUL 7026
/* vcpu_kvm_halt_polls_invalid (counter): Polls ended by a wake-up that was not meant to be polled for. */
#define BTZ_METRIC_VCPU_KVM_HALT_POLLS_INVALID 7027
/* vcpu_kvm_halt_wakeups (counter): Wake-ups from halt. */
#define BTZ_METRIC_VCPU_KVM_HALT_WAKEUPS 7028
/* vcpu_kvm_halt_poll_success_seconds (counter): Time spent in polls that succeeded. */
#define BTZ_METRIC_VCPU_KVM_HALT_POLL_SUCCESS 7029
/* vcpu_kvm_halt_poll_fail_seconds (counter): Time spent in polls that failed: CPU burnt for nothing. */
#define BTZ_METRIC_VCPU_KVM_HALT_POLL_FAIL 7030
/* vcpu_kvm_halt_wait_seconds (counter): Time asleep in halt. */
#define BTZ_METRIC_VCPU_KVM_HALT_WAIT 7031
/* vcpu_kvm_blocking: 1 when the vCPU is asleep in halt now. */
#define BTZ_METRIC_VCPU_KVM_BLOCKING 7032
/* vcpu_kvm_irq_injections (counter): Interrupts injected into the guest. */
#define BTZ_METRIC_VCPU_KVM_IRQ_INJECTIONS 7033
/* vcpu_kvm_nmi_injections (counter): NMIs injected into the guest. */
#define BTZ_METRIC_VCPU_KVM_NMI_INJECTIONS 7034
/* vcpu_kvm_request_events (counter): Times pending events were looked at before entering the guest. */
#define BTZ_METRIC_VCPU_KVM_REQUEST_EVENTS 7035
/* vcpu_kvm_emulations (counter): Guest instructions the host emulated. */
#define BTZ_METRIC_VCPU_KVM_EMULATIONS 7036
/* vcpu_kvm_emulations_failed (counter): Guest instructions the host failed to emulate. */
#define BTZ_METRIC_VCPU_KVM_EMULATIONS_FAILED 7037
/* vcpu_kvm_page_faults (counter): Page faults of the guest that KVM handled. */
#define BTZ_METRIC_VCPU_KVM_PAGE_FAULTS 7038
/* vcpu_kvm_page_faults_fixed (counter): Page faults that ended in a new mapping. */
#define BTZ_METRIC_VCPU_KVM_PAGE_FAULTS_FIXED 7039
/* vcpu_kvm_page_faults_emulated (counter): Page faults that ended in emulation. */
#define BTZ_METRIC_VCPU_KVM_PAGE_FAULTS_EMULATED 7040
/* vcpu_kvm_page_faults_spurious (counter): Page faults that another vCPU had resolved already. */
#define BTZ_METRIC_VCPU_KVM_PAGE_FAULTS_SPURIOUS 7041
/* vcpu_kvm_page_faults_fast (counter): Page faults resolved without the MMU lock. */
#define BTZ_METRIC_VCPU_KVM_PAGE_FAULTS_FAST 7042
/* vcpu_kvm_page_faults_mmio (counter): Page faults that marked a page as memory-mapped I/O. */
#define BTZ_METRIC_VCPU_KVM_PAGE_FAULTS_MMIO 7043
/* vcpu_kvm_page_faults_guest (counter): Page faults handed on to the guest. */
#define BTZ_METRIC_VCPU_KVM_PAGE_FAULTS_GUEST 7044
/* vcpu_kvm_tlb_flushes (counter): TLB flushes. */
#define BTZ_METRIC_VCPU_KVM_TLB_FLUSHES 7045
/* vcpu_kvm_invlpg (counter): INVLPG instructions KVM handled. */
#define BTZ_METRIC_VCPU_KVM_INVLPG 7046
/* vcpu_kvm_l1d_flushes (counter): Flushes of the L1 data cache before entering the guest. */
#define BTZ_METRIC_VCPU_KVM_L1D_FLUSHES 7047
/* vcpu_kvm_host_state_reloads (counter): Times the host's full register state was loaded again. */
#define BTZ_METRIC_VCPU_KVM_HOST_STATE_RELOADS 7048
/* vcpu_kvm_fpu_reloads (counter): Times the guest's FPU state was loaded. */
#define BTZ_METRIC_VCPU_KVM_FPU_RELOADS 7049
/* vcpu_kvm_hypercalls (counter): Hypercalls of the guest. */
#define BTZ_METRIC_VCPU_KVM_HYPERCALLS 7050
/* vcpu_kvm_nested_runs (counter): Times a guest within the guest was entered. */
#define BTZ_METRIC_VCPU_KVM_NESTED_RUNS 7051
/* vcpu_kvm_directed_yields_attempted (counter): Times a spinning vCPU tried to yield to another one. */
#define BTZ_METRIC_VCPU_KVM_DIRECTED_YIELDS_ATTEMPTED 7052
/* vcpu_kvm_directed_yields_successful (counter): Directed yields that found a vCPU to run. */
#define BTZ_METRIC_VCPU_KVM_DIRECTED_YIELDS_SUCCESSFUL 7053
/* vcpu_kvm_preemptions_reported (counter): Preemptions of a vCPU that the guest was told of. */
#define BTZ_METRIC_VCPU_KVM_PREEMPTIONS_REPORTED 7054
/* vcpu_kvm_preemptions_other (counter): Preemptions of a vCPU outside of guest code. */
#define BTZ_METRIC_VCPU_KVM_PREEMPTIONS_OTHER 7055
/* vcpu_kvm_guest_mode: 1 when the vCPU runs a guest within the guest now. */
#define BTZ_METRIC_VCPU_KVM_GUEST_MODE 7056

/* Metrics of scope "vmnet". */
/* vmnet_receive_bytes (counter): Bytes the tap received, that is, the guest sent. */
#define BTZ_METRIC_VMNET_RECEIVE 8000
/* vmnet_transmit_bytes (counter): Bytes the tap transmitted, that is, the guest received. */
#define BTZ_METRIC_VMNET_TRANSMIT 8001
/* vmnet_receive_packets (counter): Packets the tap received, that is, the guest sent. */
#define BTZ_METRIC_VMNET_RECEIVE_PACKETS 8002
/* vmnet_transmit_packets (counter): Packets the tap transmitted, that is, the guest received. */
#define BTZ_METRIC_VMNET_TRANSMIT_PACKETS 8003
/* vmnet_receive_errors (counter): Packets from the guest that were faulty. */
#define BTZ_METRIC_VMNET_RECEIVE_ERRORS 8004
/* vmnet_transmit_errors (counter): Packets for the guest that could not be transmitted because of an error. */
#define BTZ_METRIC_VMNET_TRANSMIT_ERRORS 8005
/* vmnet_receive_drops (counter): Packets from the guest that the host dropped. */
#define BTZ_METRIC_VMNET_RECEIVE_DROPS 8006
/* vmnet_transmit_drops (counter): Packets for the guest that were dropped: the guest does not empty its receive queue fast enough. */
#define BTZ_METRIC_VMNET_TRANSMIT_DROPS 8007
/* vmnet_receive_overruns (counter): Packets from the guest lost to a full FIFO. */
#define BTZ_METRIC_VMNET_RECEIVE_OVERRUNS 8008
/* vmnet_transmit_overruns (counter): Packets for the guest lost to a full FIFO. */
#define BTZ_METRIC_VMNET_TRANSMIT_OVERRUNS 8009
/* vmnet_receive_frame_errors (counter): Packets from the guest with a wrong length, checksum or alignment. */
#define BTZ_METRIC_VMNET_RECEIVE_FRAME_ERRORS 8010
/* vmnet_receive_multicast (counter): Multicast packets from the guest. */
#define BTZ_METRIC_VMNET_RECEIVE_MULTICAST 8011
/* vmnet_collisions (counter): Collisions on the tap. */
#define BTZ_METRIC_VMNET_COLLISIONS 8012
/* vmnet_transmit_carrier_errors (counter): Packets for the guest lost because the tap had no carrier. */
#define BTZ_METRIC_VMNET_TRANSMIT_CARRIER_ERRORS 8013

/* Metrics of scope "vmdisk". */
/* vmdisk_read_bytes (counter): Bytes the guest read. */
#define BTZ_METRIC_VMDISK_READ 9000
/* vmdisk_written_bytes (counter): Bytes the guest wrote. */
#define BTZ_METRIC_VMDISK_WRITTEN 9001
/* vmdisk_reads (counter): Reads completed. */
#define BTZ_METRIC_VMDISK_READS 9002
/* vmdisk_writes (counter): Writes completed. */
#define BTZ_METRIC_VMDISK_WRITES 9003
/* vmdisk_flushes (counter): Cache flushes completed. */
#define BTZ_METRIC_VMDISK_FLUSHES 9004
/* vmdisk_unmaps (counter): Discards completed. */
#define BTZ_METRIC_VMDISK_UNMAPS 9005
/* vmdisk_unmapped_bytes (counter): Bytes the guest discarded. */
#define BTZ_METRIC_VMDISK_UNMAPPED 9006
/* vmdisk_read_time_seconds (counter): Time spent in reads, summed over reads that ran side by side. */
#define BTZ_METRIC_VMDISK_READ_TIME 9007
/* vmdisk_write_time_seconds (counter): Time spent in writes, summed over writes that ran side by side. */
#define BTZ_METRIC_VMDISK_WRITE_TIME 9008
/* vmdisk_flush_time_seconds (counter): Time spent in flushes, summed over flushes that ran side by side. */
#define BTZ_METRIC_VMDISK_FLUSH_TIME 9009
/* vmdisk_unmap_time_seconds (counter): Time spent in discards, summed over discards that ran side by side. */
#define BTZ_METRIC_VMDISK_UNMAP_TIME 9010
/* vmdisk_reads_merged (counter): Reads merged into another one. */
#define BTZ_METRIC_VMDISK_READS_MERGED 9011
/* vmdisk_writes_merged (counter): Writes merged into another one. */
#define BTZ_METRIC_VMDISK_WRITES_MERGED 9012
/* vmdisk_reads_failed (counter): Reads that failed on the host. */
#define BTZ_METRIC_VMDISK_READS_FAILED 9013
/* vmdisk_writes_failed (counter): Writes that failed on the host. */
#define BTZ_METRIC_VMDISK_WRITES_FAILED 9014
/* vmdisk_flushes_failed (counter): Flushes that failed on the host. */
#define BTZ_METRIC_VMDISK_FLUSHES_FAILED 9015
/* vmdisk_unmaps_failed (counter): Discards that failed on the host. */
#define BTZ_METRIC_VMDISK_UNMAPS_FAILED 9016
/* vmdisk_reads_invalid (counter): Reads refused because the guest asked for something impossible. */
#define BTZ_METRIC_VMDISK_READS_INVALID 9017
/* vmdisk_writes_invalid (counter): Writes refused because the guest asked for something impossible. */
#define BTZ_METRIC_VMDISK_WRITES_INVALID 9018
/* vmdisk_flushes_invalid (counter): Flushes refused because the guest asked for something impossible. */
#define BTZ_METRIC_VMDISK_FLUSHES_INVALID 9019
/* vmdisk_unmaps_invalid (counter): Discards refused because the guest asked for something impossible. */
#define BTZ_METRIC_VMDISK_UNMAPS_INVALID 9020
/* vmdisk_idle_seconds: Time since the last request completed. */
#define BTZ_METRIC_VMDISK_IDLE_TIME 9021
/* vmdisk_highest_write_offset_bytes: End of the furthest write into the image: how far a thin image has filled. */
#define BTZ_METRIC_VMDISK_HIGHEST_OFFSET 9022
/* vmdisk_requests_failed (counter): Requests of any kind that failed on the host. */
#define BTZ_METRIC_VMDISK_REQUESTS_FAILED 9023
/* vmdisk_requests_invalid (counter): Requests of any kind the guest put together wrongly. */
#define BTZ_METRIC_VMDISK_REQUESTS_INVALID 9024
/* vmdisk_throttled (counter): Times the disk's rate limiter held requests back. */
#define BTZ_METRIC_VMDISK_THROTTLED 9025
/* vmdisk_engine_throttled (counter): Times the asynchronous I/O engine had no room for a request. */
#define BTZ_METRIC_VMDISK_ENGINE_THROTTLED 9026
/* vmdisk_queue_events (counter): Times the guest notified the disk's queue. */
#define BTZ_METRIC_VMDISK_QUEUE_EVENTS 9027
/* vmdisk_queue_empty (counter): Times the disk's queue held nothing when it was looked at. */
#define BTZ_METRIC_VMDISK_QUEUE_EMPTY 9028
/* vmdisk_read_latency_seconds: Mean time of a read since the VM began. */
#define BTZ_METRIC_VMDISK_READ_LATENCY 9029
/* vmdisk_read_latency_max_seconds: Longest read since the VM began. */
#define BTZ_METRIC_VMDISK_READ_LATENCY_MAX 9030
/* vmdisk_write_latency_seconds: Mean time of a write since the VM began. */
#define BTZ_METRIC_VMDISK_WRITE_LATENCY 9031
/* vmdisk_write_latency_max_seconds: Longest write since the VM began. */
#define BTZ_METRIC_VMDISK_WRITE_LATENCY_MAX 9032
/* vmdisk_filesystem_bytes: Size of the file system that holds the disk's image, where that is a local one. */
#define BTZ_METRIC_VMDISK_FILESYSTEM 9033
/* vmdisk_filesystem_available_bytes: Room left in that file system for whoever is not root: a thin image cannot grow beyond it. */
#define BTZ_METRIC_VMDISK_FILESYSTEM_AVAILABLE 9034

/* Metrics of scope "agent". */
/* agent_ticks (counter): Ticks completed. */
#define BTZ_METRIC_AGENT_TICKS 10000
/* agent_ticks_missed (counter): Ticks whose deadline had passed by a whole period when the sampler came round. */
#define BTZ_METRIC_AGENT_TICKS_MISSED 10001
/* agent_tick_cpu_seconds (counter): CPU time spent in ticks. */
#define BTZ_METRIC_AGENT_TICK_CPU 10002
/* agent_tick_duration_seconds: Wall time of the last tick. */
#define BTZ_METRIC_AGENT_TICK_DURATION 10003
/* agent_planner_cpu_seconds (counter): CPU time spent on the cold side: discovery, planning, monitors. */
#define BTZ_METRIC_AGENT_PLANNER_CPU 10004
/* agent_degradation: Step of degradation in force to keep the CPU budget: 0 is none. */
#define BTZ_METRIC_AGENT_DEGRADATION 10005
/* agent_vms: VMs watched now. */
#define BTZ_METRIC_AGENT_VMS 10006
/* agent_vcpus: vCPUs watched now. */
#define BTZ_METRIC_AGENT_VCPUS 10007
/* agent_vms_refused (counter): VMs seen but not watched because a declared limit was reached. */
#define BTZ_METRIC_AGENT_VMS_REFUSED 10008
/* agent_descriptors: File descriptors the agent holds for sampling. */
#define BTZ_METRIC_AGENT_DESCRIPTORS 10009
/* agent_alerts_produced (counter): Alerts detection produced. */
#define BTZ_METRIC_AGENT_ALERTS_PRODUCED 10010
/* agent_alerts_delivered (counter): Alerts handed to a consumer. */
#define BTZ_METRIC_AGENT_ALERTS_DELIVERED 10011
/* agent_alerts_suppressed (counter): Alerts held back by a rate limit or a duplicate. */
#define BTZ_METRIC_AGENT_ALERTS_SUPPRESSED 10012
/* agent_alerts_dropped (counter): Alerts lost because the ring was full. */
#define BTZ_METRIC_AGENT_ALERTS_DROPPED 10013
/* agent_alerts_in_flight: Alerts waiting in the ring. */
#define BTZ_METRIC_AGENT_ALERTS_IN_FLIGHT 10014
/* agent_resets_noticed (counter): Counters seen to go backwards; no rate was made of them. */
#define BTZ_METRIC_AGENT_COUNTER_RESETS 10015
/* agent_deliveries_dropped (counter): Asynchronous readings dropped because the sampler had not taken earlier ones. */
#define BTZ_METRIC_AGENT_DELIVERIES_DROPPED 10016
/* agent_plans_swapped (counter): Plans the sampler took over from the planner. */
#define BTZ_METRIC_AGENT_PLANS_SWAPPED 10017
/* agent_memory_reserved_bytes: Memory set aside when the agent was created. */
#define BTZ_METRIC_AGENT_MEMORY_RESERVED 10018
/* agent_tick_lateness_seconds: How long after its deadline the last tick began. */
#define BTZ_METRIC_AGENT_TICK_LATENESS 10019
/* agent_cpu_ratio: CPU time of sampler and planner over the last minute, as a part of one core. */
#define BTZ_METRIC_AGENT_CPU 10020
/* agent_uevents (counter): VMs that the kernel announced as created or destroyed. */
#define BTZ_METRIC_AGENT_UEVENTS 10021
/* agent_uevent_overruns (counter): Times the kernel lost announcements because they were not taken fast enough; each causes a full scan. */
#define BTZ_METRIC_AGENT_UEVENT_OVERRUNS 10022
/* agent_full_scans (counter): Scans of all processes for VMs. */
#define BTZ_METRIC_AGENT_FULL_SCANS 10023
/* agent_checks_cpu_seconds (counter): CPU time spent on checks of isolation and configuration. */
#define BTZ_METRIC_AGENT_CHECKS_CPU 10024
/* agent_checks_sweeps (counter): Full runs of all checks that were completed. */
#define BTZ_METRIC_AGENT_CHECKS_SWEEPS 10025
/* agent_checks_passed: Findings of checks that pass. */
#define BTZ_METRIC_AGENT_CHECKS_PASSED 10026
/* agent_checks_failed: Findings of checks that fail, those that are waived included. */
#define BTZ_METRIC_AGENT_CHECKS_FAILED 10027
/* agent_checks_unknown: Findings of checks that could not be judged because something could not be read. */
#define BTZ_METRIC_AGENT_CHECKS_UNKNOWN 10028
/* agent_checks_errors: Checks that are broken: rule files with mistakes, rules that failed. */
#define BTZ_METRIC_AGENT_CHECKS_ERRORS 10029
/* agent_checks_waived: Findings that fail and that somebody answers for. */
#define BTZ_METRIC_AGENT_CHECKS_WAIVED 10030
/* agent_checks_changes_produced (counter): Changes of findings. */
#define BTZ_METRIC_AGENT_CHECKS_CHANGES_PRODUCED 10031
/* agent_checks_changes_delivered (counter): Changes of findings handed to a consumer. */
#define BTZ_METRIC_AGENT_CHECKS_CHANGES_DELIVERED 10032
/* agent_checks_changes_dropped (counter): Changes of findings lost because nobody took them. */
#define BTZ_METRIC_AGENT_CHECKS_CHANGES_DROPPED 10033
/* agent_checks_changes_in_flight: Changes of findings that wait to be taken. */
#define BTZ_METRIC_AGENT_CHECKS_CHANGES_IN_FLIGHT 10034
/* agent_predictions_made (counter): Predictions of exhaustion rules that became alerts. */
#define BTZ_METRIC_AGENT_PREDICTIONS_MADE 10035
/* agent_predictions_true (counter): Predictions whose event came while they were open. */
#define BTZ_METRIC_AGENT_PREDICTIONS_TRUE 10036
/* agent_predictions_in_interval (counter): Predictions whose event came within the stated interval. */
#define BTZ_METRIC_AGENT_PREDICTIONS_IN_INTERVAL 10037
/* agent_predictions_false (counter): Predictions whose event did not come within twice the time they named. */
#define BTZ_METRIC_AGENT_PREDICTIONS_FALSE 10038
/* agent_predictions_withdrawn (counter): Predictions about something that ended before they were decided. */
#define BTZ_METRIC_AGENT_PREDICTIONS_WITHDRAWN 10039
/* agent_predictions_open: Predictions that wait for their event. */
#define BTZ_METRIC_AGENT_PREDICTIONS_OPEN 10040
/* agent_predictions_missed (counter): Events of exhaustion rules that nobody had predicted. */
#define BTZ_METRIC_AGENT_PREDICTIONS_MISSED 10041
/* agent_predictions_lead_seconds (counter): Time between prediction and event, over all that came true. */
#define BTZ_METRIC_AGENT_PREDICTIONS_LEAD 10042
/* agent_predictions_lead_mean_seconds: Mean time between prediction and event; pending until one came true. */
#define BTZ_METRIC_AGENT_PREDICTIONS_LEAD_MEAN 10043
/* agent_predictions_precision_ratio: Part of the decided predictions that came true; pending until one is decided. */
#define BTZ_METRIC_AGENT_PREDICTIONS_PRECISION 10044
/* agent_predictions_coverage_ratio: Part of those that came true whose event lay within the stated interval; pending until one came true. */
#define BTZ_METRIC_AGENT_PREDICTIONS_COVERAGE 10045
/* agent_standstills_told (counter): Times a standstill rule told that something has stopped. */
#define BTZ_METRIC_AGENT_STANDSTILLS_MADE 10046
/* agent_standstills_true (counter): Of these, so many stood still for the rule's horizon. */
#define BTZ_METRIC_AGENT_STANDSTILLS_TRUE 10047
/* agent_standstills_false (counter): Of these, so many moved again before. */
#define BTZ_METRIC_AGENT_STANDSTILLS_FALSE 10048
/* agent_standstills_open: Of these, so many are not decided yet. */
#define BTZ_METRIC_AGENT_STANDSTILLS_OPEN 10049
/* agent_detection_series: Series of `unusual` rules that have a detector. */
#define BTZ_METRIC_AGENT_DETECTION_SERIES 10050
/* agent_detection_series_warming: Of these, series that are only learned from yet. */
#define BTZ_METRIC_AGENT_DETECTION_SERIES_WARMING 10051
/* agent_detection_series_refused: Series that nobody watches because limits.series is reached. */
#define BTZ_METRIC_AGENT_DETECTION_SERIES_REFUSED 10052
/* agent_detection_threshold_ratio: How strong evidence must be to be told now: minus the natural logarithm of its probability in quiet time. */
#define BTZ_METRIC_AGENT_DETECTION_THRESHOLD 10053
/* agent_detection_alarms (counter): Alarms told by `unusual-together` rules. */
#define BTZ_METRIC_AGENT_DETECTION_ALARMS 10054
/* agent_detection_left_to_host (counter): Alarms about a VM that were not told because most VMs showed the same. */
#define BTZ_METRIC_AGENT_DETECTION_LEFT_TO_HOST 10055
/* agent_threads_unread: Threads of VMs that were not read in the last tick: they came after their VM was planned, and the BPF tier had no room left for them. */
#define BTZ_METRIC_AGENT_THREADS_UNREAD 10056

#endif /* BARTIZAN_METRICS_H */
